#include "core/learn/npy.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/learn/elements.h"
#include "core/learn/formats.h"

namespace ote::learn {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::optional<std::string> type;
  std::optional<bool> fortran;
  std::optional<std::vector<std::int64_t>> shape;
};

// Reads the header, a Python dictionary with the three keys in any order.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  std::optional<Header> Read() {
    Header header;
    if (!Eat('{')) return std::nullopt;
    while (!Eat('}')) {
      const auto key = Quoted();
      if (!key || !Eat(':')) return std::nullopt;
      if (*key == "descr" && !header.type) {
        header.type = Quoted();
        if (!header.type) return std::nullopt;
      } else if (*key == "fortran_order" && !header.fortran) {
        header.fortran = EatWord("True");
        if (!*header.fortran && !EatWord("False")) return std::nullopt;
      } else if (*key == "shape" && !header.shape) {
        header.shape = Tuple();
        if (!header.shape) return std::nullopt;
      } else {
        return std::nullopt;
      }
      if (!Eat(',')) {
        if (!Eat('}')) return std::nullopt;
        break;
      }
    }
    Blanks();
    if (!text_.empty() || !header.type || !header.fortran || !header.shape) return std::nullopt;
    return header;
  }

 private:
  void Blanks() {
    const std::size_t at = text_.find_first_not_of(" \n");
    text_.remove_prefix(std::min(at, text_.size()));
  }
  bool EatWord(std::string_view word) {
    Blanks();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  bool Eat(char c) { return EatWord({&c, 1}); }
  std::optional<std::string> Quoted() {
    const char quote = EatWord("'") ? '\'' : EatWord("\"") ? '"' : '\0';
    const std::size_t end = quote == '\0' ? std::string_view::npos : text_.find(quote);
    if (end == std::string_view::npos) return std::nullopt;
    std::string value(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return value;
  }
  std::optional<std::vector<std::int64_t>> Tuple() {
    constexpr std::size_t kMaxRank = 32;
    std::vector<std::int64_t> shape;
    if (!Eat('(')) return std::nullopt;
    while (!Eat(')')) {
      Blanks();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0 || shape.size() == kMaxRank) return std::nullopt;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(extent);
      if (!Eat(',')) {
        if (!Eat(')')) return std::nullopt;
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
};

struct ElementType {
  std::string_view name;
  std::uint64_t size;
  Result<std::vector<float>> (*read)(ByteView, ErrorId, std::string_view, NotThere);
};
template <class T>
constexpr ElementType Little(std::string_view name) {
  return {name, sizeof(T), &ReadElements<T, std::endian::little>};
}
constexpr ElementType kTypes[] = {
    Little<float>("<f4"),         Little<double>("<f8"),        Little<std::int8_t>("|i1"),
    Little<std::uint8_t>("|u1"),  Little<std::uint8_t>("|b1"),  Little<std::int16_t>("<i2"),
    Little<std::uint16_t>("<u2"), Little<std::int32_t>("<i4"),  Little<std::uint32_t>("<u4"),
    Little<std::int64_t>("<i8"),  Little<std::uint64_t>("<u8"),
};

}  // namespace

Result<Array> ParseNpy(ByteView bytes, std::string_view name, NotThere missing) {
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kDataBadFormat, fmt::format("{}: npy: {}", name, why));
  };
  if (!AsText(bytes).starts_with(kMagic)) return refuse("it does not begin with \\x93NUMPY");
  if (bytes.size() < 8) return refuse("it ends inside its header");
  const std::uint8_t version = bytes[6];
  if (version < 1 || version > 3 || bytes[7] != 0)
    return refuse(fmt::format("unknown version {}.{}", version, bytes[7]));
  const std::size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) return refuse("it ends inside its header");
  const std::size_t length = version == 1 ? LoadElement<std::uint16_t, std::endian::little>(bytes.data() + 8)
                                          : LoadElement<std::uint32_t, std::endian::little>(bytes.data() + 8);
  if (length > bytes.size() - start) return refuse("it ends inside its header");
  const auto header = HeaderReader(AsText(bytes.subspan(start, length))).Read();
  if (!header) return refuse("its header cannot be read");
  const auto* const type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                        [&](const auto& known) { return known.name == *header->type; });
  if (type == std::end(kTypes)) {
    return refuse(fmt::format("type {} is not read: save it as float32 or float64, little-endian", *header->type));
  }
  if (*header->fortran && header->shape->size() > 1) {
    return refuse("its order is Fortran's: save numpy.ascontiguousarray(array)");
  }
  if (header->shape->empty()) return refuse("it holds one number, not rows");
  std::uint64_t expected = type->size;
  for (const std::int64_t extent : *header->shape) {
    if (__builtin_mul_overflow(expected, static_cast<std::uint64_t>(extent), &expected)) {
      return refuse("its shape is out of range");
    }
  }
  const ByteView data = bytes.subspan(start + length);
  if (data.size() != expected) {
    return refuse(fmt::format("{} bytes of data where its header promises {}", data.size(), expected));
  }
  Array array;
  array.shape = *header->shape;
  OTE_TRY(array.values, type->read(data, ErrorId::kDataBadFormat, name, missing));
  return array;
}

Bytes NpyHeader(const std::vector<std::int64_t>& extents) {
  std::string shape;
  for (const std::int64_t extent : extents) shape += fmt::format("{}, ", extent);
  // (2,) but (2, 3): only a single extent keeps its comma.
  if (!shape.empty()) shape.resize(shape.size() - (extents.size() == 1 ? 1 : 2));
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape);
  constexpr std::size_t kStart = 10;
  constexpr std::size_t kAlign = 64;
  const std::size_t total = (kStart + header.size() + 1 + kAlign - 1) / kAlign * kAlign;
  header.resize(total - kStart - 1, ' ');
  header += '\n';
  Bytes out(total);
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  out[6] = 1;
  out[8] = static_cast<std::uint8_t>(header.size() & 0xff);
  out[9] = static_cast<std::uint8_t>(header.size() >> 8);
  std::memcpy(out.data() + kStart, header.data(), header.size());
  return out;
}

Bytes WriteNpy(const TensorInfo& tensor, std::span<const float> values) {
  Bytes out = NpyHeader(tensor.shape);
  const std::size_t start = out.size();
  out.resize(start + values.size_bytes());
  if (!values.empty()) std::memcpy(out.data() + start, values.data(), values.size_bytes());
  return out;
}

}  // namespace ote::learn
