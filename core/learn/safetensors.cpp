#include "core/learn/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace ote::learn {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie in memory");

constexpr std::uint64_t kMaxHeader = 1 << 20;
constexpr std::size_t kMaxRank = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

struct Entry {
  TensorInfo info;
  std::string dtype;
  std::vector<std::uint64_t> offsets;
  bool has_shape = false;
  bool has_dtype = false;
  bool has_offsets = false;
};

// Builds the entries straight from the parser's events, so that a duplicate key is seen (a document tree would keep the
// last one) and nothing but what the format knows is ever stored.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::string why;

  bool null() override { return Refuse("null"); }
  bool boolean(bool) override { return Refuse("a boolean"); }
  bool number_float(number_float_t, const string_t&) override { return Refuse("a fraction"); }
  bool binary(binary_t&) override { return Refuse("binary"); }
  bool number_integer(number_integer_t) override { return Refuse("a negative number"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (value > (1ULL << 40)) return Refuse("a shape out of range");
      if (entries.back().info.shape.size() >= kMaxRank) return Refuse("more than 8 dimensions");
      entries.back().info.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (entries.back().offsets.size() >= 2) return Refuse("more than two data_offsets");
      entries.back().offsets.push_back(value);
      return true;
    }
    return Refuse("a number out of place");
  }
  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      metadata[key_] = std::move(value);
      return true;
    }
    if (place_ == Place::kTensor && key_ == "dtype") {
      entries.back().dtype = std::move(value);
      return true;
    }
    return Refuse("a string out of place");
  }
  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        if (key_ == kMetadataKey) {
          place_ = Place::kMetadata;
        } else {
          entries.emplace_back();
          entries.back().info.name = key_;
          place_ = Place::kTensor;
        }
        return true;
      default:
        return Refuse("an object out of place");
    }
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    switch (place_) {
      case Place::kTop:
        return names_.insert(key_).second || Refuse("the name \"" + key_ + "\" twice");
      case Place::kMetadata:
        return !metadata.contains(key_) || Refuse("the metadata key \"" + key_ + "\" twice");
      default:
        break;
    }
    Entry& entry = entries.back();
    bool* const seen = key_ == "dtype"          ? &entry.has_dtype
                       : key_ == "shape"        ? &entry.has_shape
                       : key_ == "data_offsets" ? &entry.has_offsets
                                                : nullptr;
    if (seen == nullptr) return Refuse("the unknown field \"" + key_ + "\"");
    if (*seen) return Refuse("the field \"" + key_ + "\" twice");
    *seen = true;
    return true;
  }
  bool end_object() override {
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::kTensor && key_ == "shape") {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && key_ == "data_offsets") {
      place_ = Place::kOffsets;
    } else {
      return Refuse("a list out of place");
    }
    return true;
  }
  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    why = "it is not JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  bool Refuse(std::string what) {
    why = "it holds " + std::move(what);
    return false;
  }

  Place place_ = Place::kStart;
  std::string key_;
  std::set<std::string> names_;
};

tl::unexpected<Error> Bad(std::string_view why) {
  return Fail(ErrorId::kModelInvalid, "safetensors: " + std::string(why));
}

// The bytes that a shape takes, when that fits.
std::optional<std::uint64_t> ByteCount(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = sizeof(float);
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) return std::nullopt;
  }
  if (count > (1ULL << 62)) return std::nullopt;
  return count;
}

}  // namespace

Bytes SafetensorsHeader(const Layout& layout, const Metadata& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::uint64_t offset = 0;
  for (const TensorInfo& tensor : layout) {
    const std::uint64_t end = offset + static_cast<std::uint64_t>(tensor.Count()) * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  Bytes out(8 + text.size());
  const std::uint64_t length = text.size();
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, text.data(), text.size());
  return out;
}

Bytes WriteSafetensors(const Layout& layout, std::span<const float> values, const Metadata& metadata) {
  Bytes out = SafetensorsHeader(layout, metadata);
  const std::size_t start = out.size();
  out.resize(start + values.size_bytes());
  if (!values.empty()) std::memcpy(out.data() + start, values.data(), values.size_bytes());
  return out;
}

Result<SafetensorsView> ReadSafetensors(ByteView bytes) {
  if (bytes.size() < 8) return Bad("shorter than the length of its header");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kMaxHeader) return Bad("a header above 1 MiB");
  if (length > bytes.size() - 8) return Bad("the header ends past the end of the file");
  const ByteView header = bytes.subspan(8, static_cast<std::size_t>(length));
  if (header.empty() || header.front() != '{') return Bad("the header does not begin with {");

  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader)) return Bad("header: " + reader.why);

  SafetensorsView view;
  view.metadata = std::move(reader.metadata);
  view.data = bytes.subspan(8 + static_cast<std::size_t>(length));
  for (const Entry& entry : reader.entries) {
    const auto refuse = [&](std::string_view why) {
      return Bad("tensor \"" + entry.info.name + "\": " + std::string(why));
    };
    if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets || entry.offsets.size() != 2) {
      return refuse("dtype, shape or data_offsets is missing");
    }
    if (entry.dtype != "F32") return refuse("type " + entry.dtype + ", only F32 is read");
    const auto size = ByteCount(entry.info.shape);
    const std::uint64_t begin = entry.offsets[0];
    const std::uint64_t end = entry.offsets[1];
    if (begin > end || end > view.data.size()) return refuse("its offsets lie outside of the file");
    if (!size || *size != end - begin) return refuse("its offsets do not fit its shape");
  }
  // Tensors without elements share their offset with a neighbour; by name, so that the order is the same everywhere.
  std::sort(reader.entries.begin(), reader.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.offsets, a.info.name) < std::tie(b.offsets, b.info.name);
  });
  std::uint64_t expected = 0;
  for (Entry& entry : reader.entries) {
    if (entry.offsets[0] != expected) {
      return Bad("tensor \"" + entry.info.name + "\": overlaps another or leaves a gap");
    }
    expected = entry.offsets[1];
    view.layout.push_back(std::move(entry.info));
  }
  if (expected != view.data.size()) return Bad("bytes after the last tensor");
  return view;
}

std::vector<float> CopyValues(const SafetensorsView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), view.data.data(), values.size() * sizeof(float));
  return values;
}

}  // namespace ote::learn
