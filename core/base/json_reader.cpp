// Json from text, with the place of what is wrong.
#include <fmt/format.h>

#include <iterator>

#include "core/base/json_builder.h"

namespace ote {
namespace {

// Characters of the text that also tell how many of them were taken, whichever copy of the iterator takes them:
// nlohmann's SAX interface does not say where a value stands.
class Counted {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Counted(const char* at, std::size_t* taken) noexcept : at_(at), taken_(taken) {}
  reference operator*() const noexcept { return *at_; }
  Counted& operator++() noexcept {
    ++at_;
    ++*taken_;
    return *this;
  }
  Counted operator++(int) noexcept {
    const Counted before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Counted& a, const Counted& b) noexcept { return a.at_ == b.at_; }

 private:
  const char* at_;
  std::size_t* taken_;
};

std::string Place(std::string_view text, std::string_view file, std::size_t taken) {
  const std::string_view before = text.substr(0, taken > 0 ? taken - 1 : 0);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == before.npos ? 0 : start + 1) + 1;
  if (file.empty()) return fmt::format("line {}, column {}", line, column);
  return fmt::format("{}:{}:{}", file, line, column);
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view file) {
  if (text.size() > codec::kMaxDocument) {
    return Fail(ErrorId::kInputSyntax, fmt::format("{}: it has {} bytes, more than the {} that a document may have",
                                                   file.empty() ? "JSON" : file, text.size(), codec::kMaxDocument));
  }
  codec::JsonBuilder builder;
  std::size_t taken = 0;
  try {
    if (Json::sax_parse(Counted(text.data(), &taken), Counted(text.data() + text.size(), &taken), &builder)) {
      return builder.Take();
    }
  } catch (const std::exception& error) {
    return Fail(ErrorId::kInputSyntax,
                fmt::format("{}: {}", Place(text, file, taken), codec::ForMessage(error.what(), 160)));
  }
  return Fail(ErrorId::kInputSyntax,
              fmt::format("{}: {}", Place(text, file, builder.Position().value_or(taken)), builder.Why()));
}

}  // namespace ote
