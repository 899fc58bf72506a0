// CBOR (RFC 8949), the subset that ote writes: definite lengths, no tags, text keys.
#include <fmt/format.h>

#include "core/base/json_builder.h"

namespace ote {
namespace {

// Walks over one item and checks its form before anything is built from it: lengths against the bytes that are there,
// the depth, and what this subset leaves out. nlohmann's own reader recurses on nested indefinite strings without a
// bound.
class Scanner {
 public:
  explicit Scanner(ByteView bytes) noexcept : bytes_(bytes) {}

  // "" when the bytes are exactly one item.
  std::string_view Check() {
    std::string_view why = Item(0);
    if (why.empty() && at_ != bytes_.size()) why = "bytes follow after its end";
    return why;
  }
  std::size_t At() const noexcept { return at_; }

 private:
  bool Head(unsigned& major, unsigned& info, std::uint64_t& argument) noexcept {
    if (at_ == bytes_.size()) return false;
    const std::uint8_t first = bytes_[at_++];
    major = first >> 5;
    info = first & 31;
    argument = info;
    if (info < 24 || info > 27) return true;
    const std::size_t width = std::size_t{1} << (info - 24);
    if (bytes_.size() - at_ < width) return false;
    argument = 0;
    for (std::size_t i = 0; i < width; ++i) argument = argument << 8 | bytes_[at_++];
    return true;
  }

  std::string_view Item(std::size_t depth) {
    unsigned major = 0;
    unsigned info = 0;
    std::uint64_t argument = 0;
    if (!Head(major, info, argument)) return "it ends in the middle";
    if (info > 27) return info == 31 ? "it has an item of indefinite length" : "it has a reserved head";
    const std::uint64_t left = bytes_.size() - at_;
    switch (major) {
      case 0:
        return {};
      case 1:
        return argument > static_cast<std::uint64_t>(INT64_MAX) ? "a negative number is beyond 64 bits" : "";
      case 2:
      case 3:
        if (argument > left) return "it ends in the middle";
        at_ += static_cast<std::size_t>(argument);
        return {};
      case 4:
      case 5:
        return Items(major == 5, argument, depth);
      case 6:
        return "it has a tag";
      default:
        // false, true, null, and the three widths of floating point.
        return (info >= 20 && info <= 22) || (info >= 25 && info <= 27) ? ""
                                                                        : "it has a simple value that is not known";
    }
  }

  std::string_view Items(bool map, std::uint64_t count, std::size_t depth) {
    if (depth == codec::kMaxDepth) return "it is nested too deep";
    // Each item takes one byte at least.
    if (count > bytes_.size() - at_) return "it ends in the middle";
    for (std::uint64_t i = 0; i < count; ++i) {
      if (map) {
        if (at_ < bytes_.size() && bytes_[at_] >> 5 != 3) return "a key is not text";
        if (const auto why = Item(depth + 1); !why.empty()) return why;
      }
      if (const auto why = Item(depth + 1); !why.empty()) return why;
    }
    return {};
  }

  ByteView bytes_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Json> ParseCbor(ByteView bytes) {
  Scanner scanner(bytes);
  if (const auto why = scanner.Check(); !why.empty()) {
    return Fail(ErrorId::kProtocol, fmt::format("CBOR: byte {}: {}", scanner.At(), why));
  }
  codec::JsonBuilder builder;
  try {
    if (Json::sax_parse(bytes.begin(), bytes.end(), &builder, nlohmann::detail::input_format_t::cbor)) {
      return builder.Take();
    }
  } catch (const std::exception& error) {
    return Fail(ErrorId::kProtocol, fmt::format("CBOR: {}", codec::ForMessage(error.what(), 160)));
  }
  return Fail(ErrorId::kProtocol, fmt::format("CBOR: {}", builder.Why()));
}

Bytes DumpCbor(const Json& value) { return Json::to_cbor(value); }

}  // namespace ote
