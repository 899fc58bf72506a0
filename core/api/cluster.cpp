#include "core/api/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ote::api {
namespace {

constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxLabelPart = 63;
constexpr std::string_view kRule = "1 to 63 of a-z, 0-9, -, ., _ and /, with a letter or digit at either end";

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool MayStandInside(char c) { return IsAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '/'; }

// For a part that is not empty.
bool LabelPartFits(std::string_view text) {
  return text.size() <= kMaxLabelPart && IsAlphanumeric(text.front()) && IsAlphanumeric(text.back()) &&
         std::ranges::all_of(text, MayStandInside);
}

// Printable, and short: labels come from peers too.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kMaxLabelPart + 1)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return shown;
}

}  // namespace

Result<void> CheckLabels(const Labels& labels) {
  if (labels.size() > kMaxLabels) {
    return Fail(ErrorId::kMalformed, fmt::format("labels: at most {}, not {}", kMaxLabels, labels.size()));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty() || !LabelPartFits(key)) {
      return Fail(ErrorId::kMalformed, fmt::format("label \"{}\": its key is not {}", Shown(key), kRule));
    }
    if (!value.empty() && !LabelPartFits(value)) {
      return Fail(ErrorId::kMalformed,
                  fmt::format("label {}: its value \"{}\" is neither empty nor {}", key, Shown(value), kRule));
    }
  }
  return {};
}

Result<std::pair<std::string, std::string>> ParseLabel(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Fail(ErrorId::kUsage, fmt::format("label \"{}\": a label is KEY=VALUE, such as region=eu", Shown(text)));
  }
  std::pair<std::string, std::string> label(text.substr(0, equals), text.substr(equals + 1));
  if (const auto fits = CheckLabels({label}); !fits) return Fail(ErrorId::kUsage, fits.error().message);
  return label;
}

TokenStatus Token::StatusAt(UnixMillis now) const noexcept {
  if (revoked) return TokenStatus::kRevoked;
  if (std::cmp_greater_equal(used_by.size(), uses)) return TokenStatus::kUsedUp;
  return now >= expires_at ? TokenStatus::kExpired : TokenStatus::kActive;
}

}  // namespace ote::api
