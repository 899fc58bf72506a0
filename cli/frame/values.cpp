#include "cli/frame/values.h"

#include <fmt/format.h>

#include "core/api/cluster.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

template <class N>
Result<void> ReadNumber(const std::string& text, N& out, const char* want) {
  N value{};
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || text.empty()) {
    return Fail(ErrorId::kUsage, fmt::format("{}: not {}", text.empty() ? "\"\"" : text, want));
  }
  out = value;
  return {};
}

}  // namespace

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (!part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

Result<void> ReadValue(const std::string& text, std::string& out) {
  out = text;
  return {};
}
Result<void> ReadValue(const std::string& text, std::filesystem::path& out) {
  out = text;
  return {};
}
Result<void> ReadValue(const std::string& text, std::int64_t& out) { return ReadNumber(text, out, "a whole number"); }
Result<void> ReadValue(const std::string& text, std::uint64_t& out) {
  return ReadNumber(text, out, "a whole number from 0");
}
Result<void> ReadValue(const std::string& text, double& out) { return ReadNumber(text, out, "a number"); }
Result<void> ReadValue(const std::string& text, std::chrono::milliseconds& out) {
  auto value = ParseDuration(text);
  if (!value) return Fail(ErrorId::kUsage, value.error().message, "write it with its unit: 90s, 5m, 24h");
  out = *value;
  return {};
}
Result<void> ReadValue(const std::string& text, Labels& out) {
  for (const std::string& part : SplitList(text)) {
    OTE_TRY(auto label, api::ParseLabel(part));
    out[std::move(label.first)] = std::move(label.second);
  }
  return {};
}

std::string ShowValue(const std::string& value) { return value; }
std::string ShowValue(const std::filesystem::path& value) { return value.string(); }
std::string ShowValue(std::int64_t value) { return fmt::format("{}", value); }
std::string ShowValue(std::uint64_t value) { return fmt::format("{}", value); }
std::string ShowValue(double value) { return fmt::format("{}", value); }
std::string ShowValue(std::chrono::milliseconds value) { return FormatDuration(value); }

}  // namespace ote::cli
