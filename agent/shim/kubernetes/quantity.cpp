#include "agent/shim/kubernetes/quantity.h"

#include <fmt/format.h>

#include <array>

namespace ote::kube {
namespace {

// Quantities are exact decimal numbers; 128 bits hold every one that fits into 64 bits of thousandths.
__extension__ using Wide = unsigned __int128;
constexpr Wide kLimit = static_cast<Wide>(INT64_MAX);

struct Suffix {
  std::string_view text;
  int twos;  // power of two
  int tens;  // power of ten
};
constexpr std::array kSuffixes = {Suffix{"", 0, 0},    Suffix{"n", 0, -9},  Suffix{"u", 0, -6},  Suffix{"m", 0, -3},
                                  Suffix{"k", 0, 3},   Suffix{"M", 0, 6},   Suffix{"G", 0, 9},   Suffix{"T", 0, 12},
                                  Suffix{"P", 0, 15},  Suffix{"E", 0, 18},  Suffix{"Ki", 10, 0}, Suffix{"Mi", 20, 0},
                                  Suffix{"Gi", 30, 0}, Suffix{"Ti", 40, 0}, Suffix{"Pi", 50, 0}, Suffix{"Ei", 60, 0}};

tl::unexpected<Error> Bad(std::string_view text, std::string_view why) {
  return Fail(ErrorId::kQuantityInvalid, fmt::format("quantity \"{}\": {}", text.substr(0, 40), why));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Digits up to `at`'s end; the exponent of 2e3 or 2E-3, when that is what follows.
Result<Suffix> SuffixOf(std::string_view rest, std::string_view whole) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text == rest) return suffix;
  }
  if (rest.size() < 2 || (rest[0] != 'e' && rest[0] != 'E')) return Bad(whole, "its unit is not known");
  rest.remove_prefix(1);
  const bool minus = rest[0] == '-';
  if (minus || rest[0] == '+') rest.remove_prefix(1);
  if (rest.empty() || rest.size() > 3) return Bad(whole, "its exponent is none");
  int exponent = 0;
  for (const char c : rest) {
    if (!IsDigit(c)) return Bad(whole, "its exponent is none");
    exponent = exponent * 10 + (c - '0');
  }
  return Suffix{"", 0, minus ? -exponent : exponent};
}

// The value times 10^`scale`, rounded up.
Result<std::int64_t> Parse(std::string_view text, int scale) {
  std::string_view rest = text;
  const bool minus = rest.starts_with('-');
  if (minus || rest.starts_with('+')) rest.remove_prefix(1);
  Wide value = 0;
  int tens = scale;
  bool digits = false;
  bool point = false;
  bool lost = false;  // digits too small to be kept, that are not 0
  std::size_t i = 0;
  for (; i < rest.size() && (IsDigit(rest[i]) || (rest[i] == '.' && !point)); ++i) {
    if (rest[i] == '.') {
      point = true;
      continue;
    }
    digits = true;
    if (value > kLimit) {
      if (!point) return Bad(text, "it is too large");
      lost = lost || rest[i] != '0';
      continue;
    }
    value = value * 10 + static_cast<Wide>(rest[i] - '0');
    if (point) --tens;
  }
  if (!digits) return Bad(text, "a number is missing");
  OTE_TRY(const Suffix suffix, SuffixOf(rest.substr(i), text));
  tens += suffix.tens;
  if (value != 0) {
    // kLimit is below 2^63, so value is below 2^67 and one factor of 2^60 fits.
    value <<= suffix.twos;
    for (; tens > 0 && value <= kLimit * 1000; --tens) value *= 10;
    if (tens > 0) return Bad(text, "it is too large");
    for (; tens < 0 && (value != 0); ++tens) {
      lost = lost || value % 10 != 0;
      value /= 10;
    }
  }
  if (lost && !minus) ++value;
  if (value > kLimit) return Bad(text, "it is too large");
  const auto whole = static_cast<std::int64_t>(value);
  return minus ? -whole : whole;
}

std::int64_t Read(const Json& value, int scale) {
  std::string text;
  if (value.is_string()) text = value.get_ref<const std::string&>();
  if (value.is_number()) text = value.dump();
  return Parse(text, scale).value_or(0);
}

}  // namespace

Result<std::int64_t> ParseMilli(std::string_view text) { return Parse(text, 3); }
Result<std::int64_t> ParseUnits(std::string_view text) { return Parse(text, 0); }
std::int64_t MilliOf(const Json& value) { return Read(value, 3); }
std::int64_t UnitsOf(const Json& value) { return Read(value, 0); }

}  // namespace ote::kube
