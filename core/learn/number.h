// Decimal numbers in text files, read without regard to the locale.
#pragma once

#include <string_view>

namespace ote::learn {

enum class NumberFault { kNone, kEmpty, kNotNumber, kNotFinite, kOutOfRange };
// "not a number": for a message. The text itself is never repeated: it is a value of somebody's data.
std::string_view Describe(NumberFault fault) noexcept;

// Reads a number at `begin` and sets `end` behind it: optional sign, digits with an optional point, optional exponent.
// The value is the nearest double, rounded to float. The caller looks at what follows.
NumberFault ScanNumber(const char* begin, const char* limit, float& value, const char*& end) noexcept;
// The same for a text that must be a number from end to end.
NumberFault ParseNumber(std::string_view text, float& value) noexcept;

// Without blanks and tabs at the ends.
std::string_view Trim(std::string_view text) noexcept;

}  // namespace ote::learn
