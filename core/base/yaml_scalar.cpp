#include "core/base/yaml_scalar.h"

#include <array>
#include <charconv>
#include <cmath>

namespace ote::codec {
namespace {

constexpr std::string_view kDigits = "0123456789";

template <std::size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool AllOf(std::string_view text, std::string_view set) {
  return !text.empty() && text.find_first_not_of(set) == text.npos;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?   on a text without its sign
bool LooksLikeFloat(std::string_view text) {
  const auto digits = [&text] {
    std::size_t n = text.find_first_not_of(kDigits);
    if (n == text.npos) n = text.size();
    text.remove_prefix(n);
    return n;
  };
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
  }
  if (whole == 0 && fraction == 0) return false;
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return digits() > 0 && text.empty();
}

Result<Json> WholeNumber(std::string_view digits, int base, bool negative) {
  const auto beyond = [] {
    return Fail(ErrorId::kInputSyntax, "a whole number is beyond 64 bits; quote it if it is meant as text");
  };
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return beyond();
  if (!negative) return Json(value);
  if (value > std::uint64_t{1} << 63) return beyond();
  return Json(static_cast<std::int64_t>(0 - value));
}

}  // namespace

Result<Json> ResolvePlain(std::string_view text) {
  using Words = std::array<std::string_view, 3>;
  if (text.empty() || text == "~" || IsOneOf(text, Words{"null", "Null", "NULL"})) return Json(nullptr);
  if (IsOneOf(text, Words{"true", "True", "TRUE"})) return Json(true);
  if (IsOneOf(text, Words{"false", "False", "FALSE"})) return Json(false);
  if (text.starts_with("0x") && AllOf(text.substr(2), "0123456789abcdefABCDEF"))
    return WholeNumber(text.substr(2), 16, false);
  if (text.starts_with("0o") && AllOf(text.substr(2), "01234567")) return WholeNumber(text.substr(2), 8, false);
  const bool negative = text.starts_with('-');
  const std::string_view bare = negative || text.starts_with('+') ? text.substr(1) : text;
  if (AllOf(bare, kDigits)) return WholeNumber(bare, 10, negative);
  if (IsOneOf(bare, Words{".inf", ".Inf", ".INF"}) || IsOneOf(text, Words{".nan", ".NaN", ".NAN"})) {
    return Fail(ErrorId::kInputSyntax, "a number is not finite");
  }
  if (!LooksLikeFloat(bare)) return Json(std::string(text));
  double value = 0;
  const auto [end, error] = std::from_chars(bare.data(), bare.data() + bare.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Fail(ErrorId::kInputSyntax, "a number is beyond the range of double precision");
  }
  return Json(negative ? -value : value);
}

}  // namespace ote::codec
