#include "core/base/units.h"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace ote {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> kTimeUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

constexpr std::array<Unit, 10> kSizeUnits{{{"", 1},
                                           {"B", 1},
                                           {"kB", 1000},
                                           {"MB", 1'000'000},
                                           {"GB", 1'000'000'000},
                                           {"TB", 1'000'000'000'000},
                                           {"KiB", 1ULL << 10},
                                           {"MiB", 1ULL << 20},
                                           {"GiB", 1ULL << 30},
                                           {"TiB", 1ULL << 40}}};

bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }

// Takes the digits at the front of `text`. False when there are none or the number does not fit.
bool TakeNumber(std::string_view& text, std::uint64_t& out) noexcept {
  if (text.empty() || !IsDigit(text.front())) return false;
  out = 0;
  while (!text.empty() && IsDigit(text.front())) {
    if (__builtin_mul_overflow(out, std::uint64_t{10}, &out) ||
        __builtin_add_overflow(out, static_cast<std::uint64_t>(text.front() - '0'), &out)) {
      return false;
    }
    text.remove_prefix(1);
  }
  return true;
}

std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return shown;
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(
        ErrorId::kMalformed,
        fmt::format("duration \"{}\": {}; durations look like 250ms, 90s, 5m, 24h, 7d or 1h30m", Shown(text), why));
  };
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  if (rest.empty()) return refuse("it is empty");
  while (!rest.empty()) {
    std::uint64_t number = 0;
    if (!IsDigit(rest.front())) return refuse("a whole number must stand before each unit");
    if (!TakeNumber(rest, number)) return refuse("it is too long a time");
    std::size_t length = 0;
    while (length < rest.size() && !IsDigit(rest[length])) ++length;
    const std::string_view name = rest.substr(0, length);
    rest.remove_prefix(length);
    if (name.empty()) return refuse("a unit is missing");
    std::size_t unit = 0;
    while (unit < kTimeUnits.size() && kTimeUnits[unit].name != name) ++unit;
    if (unit == kTimeUnits.size()) return refuse(fmt::format("\"{}\" is not a unit", Shown(name)));
    if (unit < next_unit) return refuse("larger units stand first, each at most once");
    next_unit = unit + 1;
    std::uint64_t part = 0;
    if (__builtin_mul_overflow(number, kTimeUnits[unit].factor, &part) || __builtin_add_overflow(total, part, &total) ||
        total > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2)) {
      return refuse("it is too long a time");
    }
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

std::string FormatDuration(std::chrono::milliseconds value) {
  if (value.count() == 0) return "0s";
  std::string text = value.count() < 0 ? "-" : "";
  std::uint64_t rest =
      value.count() < 0 ? 0 - static_cast<std::uint64_t>(value.count()) : static_cast<std::uint64_t>(value.count());
  for (const Unit& unit : kTimeUnits) {
    if (rest >= unit.factor) text += fmt::format("{}{}", rest / unit.factor, unit.name);
    rest %= unit.factor;
  }
  return text;
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kMalformed,
                fmt::format("size \"{}\": {}; sizes look like 512, 10kB, 64MiB or 1.5GiB", Shown(text), why));
  };
  std::string_view rest = text;
  std::uint64_t whole = 0;
  if (rest.empty() || !IsDigit(rest.front())) return refuse("a number must come first");
  if (!TakeNumber(rest, whole)) return refuse("it does not fit into 64 bits");
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  if (rest.starts_with(".")) {
    rest.remove_prefix(1);
    if (rest.empty() || !IsDigit(rest.front())) return refuse("digits must follow the point");
    while (!rest.empty() && IsDigit(rest.front())) {
      // Six digits are more than anybody writes, and keep the product below within 64 bits.
      if (scale == 1'000'000) return refuse("at most six digits may follow the point");
      fraction = fraction * 10 + static_cast<std::uint64_t>(rest.front() - '0');
      scale *= 10;
      rest.remove_prefix(1);
    }
  }
  if (rest.size() > 1 && rest.front() == ' ') rest.remove_prefix(1);
  for (const Unit& unit : kSizeUnits) {
    if (unit.name != rest) continue;
    std::uint64_t bytes = 0;
    if (scale > 1 && unit.factor == 1) return refuse("a byte has no parts");
    if (__builtin_mul_overflow(whole, unit.factor, &bytes) ||
        __builtin_add_overflow(bytes, fraction * unit.factor / scale, &bytes)) {
      return refuse("it does not fit into 64 bits");
    }
    return bytes;
  }
  return refuse(fmt::format("\"{}\" is not a unit", Shown(rest)));
}

std::string FormatSize(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kNames[unit]);
}

}  // namespace ote
