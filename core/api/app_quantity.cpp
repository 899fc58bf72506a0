#include <fmt/format.h>

#include <limits>

#include "core/api/app_file.h"
#include "core/base/units.h"

namespace ote::api {
namespace {

std::string Printed(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return shown;
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == text.npos;
}

std::int64_t Number(std::string_view digits) {
  std::int64_t value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

Result<std::int64_t> ParseCpu(std::string_view text) {
  const auto refuse = [&] {
    return Fail(ErrorId::kQuantityInvalid,
                fmt::format("\"{}\": CPU is cores or thousandths of one, such as 2, 0.5 or 500m", Printed(text)));
  };
  if (text.ends_with('m')) {
    const auto digits = text.substr(0, text.size() - 1);
    if (!AllDigits(digits)) return refuse();
    return Number(digits);
  }
  const auto dot = text.find('.');
  const auto whole = text.substr(0, dot);
  if (!AllDigits(whole) || whole.size() > 6) return refuse();
  std::int64_t milli = Number(whole) * 1000;
  if (dot != text.npos) {
    const auto part = text.substr(dot + 1);
    if (!AllDigits(part) || part.size() > 3) return refuse();
    std::int64_t scale = 100;
    for (const char c : part) {
      milli += (c - '0') * scale;
      scale /= 10;
    }
  }
  return milli;
}

Result<std::int64_t> ParseQuantity(std::string_view text) {
  std::string spelled(text);
  // As Kubernetes has it: Ki, Mi, Gi, Ti and k, M, G, T.
  if (spelled.size() > 1 && (spelled.back() == 'i' || std::string_view("kMGT").find(spelled.back()) != text.npos)) {
    spelled.push_back('B');
  }
  const auto size = ParseSize(spelled);
  if (!size || *size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return Fail(ErrorId::kQuantityInvalid,
                fmt::format("\"{}\": a size is bytes with a unit, such as 64MiB or 2GiB", Printed(text)));
  }
  return static_cast<std::int64_t>(*size);
}

}  // namespace ote::api
