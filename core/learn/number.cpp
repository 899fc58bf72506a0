#include "core/learn/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace ote::learn {
namespace {

// Powers of ten that a double holds exactly.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool IsDigit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

NumberFault Narrow(double wide, float& value) noexcept {
  if (!std::isfinite(wide)) return NumberFault::kNotFinite;
  value = static_cast<float>(wide);
  return std::isfinite(value) ? NumberFault::kNone : NumberFault::kOutOfRange;
}

NumberFault ScanSlowly(const char* begin, const char* limit, float& value, const char*& end) noexcept {
  const char* const start = begin < limit && *begin == '+' ? begin + 1 : begin;
  // from_chars takes a minus, so "+-1" has to be refused here.
  if (start != begin && start < limit && *start == '-') return NumberFault::kNotNumber;
  double wide = 0;
  const auto [stop, error] = std::from_chars(start, limit, wide);
  if (error == std::errc::invalid_argument) return NumberFault::kNotNumber;
  end = stop;
  if (error == std::errc::result_out_of_range) return NumberFault::kOutOfRange;
  return Narrow(wide, value);
}

}  // namespace

std::string_view Describe(NumberFault fault) noexcept {
  switch (fault) {
    case NumberFault::kNone:
      return "a number";
    case NumberFault::kEmpty:
      return "empty";
    case NumberFault::kNotNumber:
      return "not a number";
    case NumberFault::kNotFinite:
      return "not finite";
    case NumberFault::kOutOfRange:
      return "out of the range of a 32-bit float";
  }
  return "not a number";
}

// The short road: at most 19 digits that make an exact double, times or divided by an exact power of ten, is rounded
// once (Clinger 1990). All else goes to the standard library.
NumberFault ScanNumber(const char* begin, const char* limit, float& value, const char*& end) noexcept {
  if (begin == limit) return NumberFault::kEmpty;
  const char* at = begin;
  const bool negative = *at == '-';
  if (negative || *at == '+') ++at;
  std::uint64_t digits = 0;
  const char* const first = at;
  while (at < limit && IsDigit(*at)) digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
  auto count = at - first;
  std::int64_t exponent = 0;
  if (at < limit && *at == '.') {
    ++at;
    const char* const fraction = at;
    while (at < limit && IsDigit(*at)) digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
    exponent = fraction - at;
    count += at - fraction;
  }
  const bool has_exponent = at < limit && (*at == 'e' || *at == 'E');
  if (count == 0 || count > 19 || digits > (1ULL << 53) || exponent < -22 || has_exponent) {
    return ScanSlowly(begin, limit, value, end);
  }
  double magnitude = static_cast<double>(digits);
  if (exponent != 0) magnitude /= kPowers[-exponent];
  value = static_cast<float>(negative ? -magnitude : magnitude);
  end = at;
  return NumberFault::kNone;
}

NumberFault ParseNumber(std::string_view text, float& value) noexcept {
  const char* end = nullptr;
  const NumberFault fault = ScanNumber(text.data(), text.data() + text.size(), value, end);
  if (fault == NumberFault::kNone && end != text.data() + text.size()) return NumberFault::kNotNumber;
  return fault;
}

std::string_view Trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace ote::learn
