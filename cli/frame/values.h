// Values of flags: from the text that people write to the type that a verb uses, and back for the help.
#pragma once

#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::cli {

using Labels = std::map<std::string, std::string>;

// "a,b,,c" -> {"a","b","c"}
std::vector<std::string> SplitList(std::string_view text);

Result<void> ReadValue(const std::string& text, std::string& out);
Result<void> ReadValue(const std::string& text, std::filesystem::path& out);
Result<void> ReadValue(const std::string& text, std::int64_t& out);
Result<void> ReadValue(const std::string& text, std::uint64_t& out);
Result<void> ReadValue(const std::string& text, double& out);
// "90s", "5m", "24h", "7d"
Result<void> ReadValue(const std::string& text, std::chrono::milliseconds& out);
// One or several "k=v", parted by commas; adds to `out`.
Result<void> ReadValue(const std::string& text, Labels& out);

template <class E>
requires std::is_enum_v<E> Result<void> ReadValue(const std::string& text, E& out) {
  std::string want;
  std::vector<std::string_view> names;
  for (const auto& [value, name] : EnumNames<E>::kNames) {
    want.append(names.empty() ? "" : ", ").append(name);
    names.push_back(name);
    if (name == text) {
      out = value;
      return {};
    }
  }
  const std::string_view near = Nearest(text, names);
  return Fail(ErrorId::kUsage,
              text + ": not one of " + want + (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
}
// Adds the parts of a comma-separated list.
template <class T>
Result<void> ReadValue(const std::string& text, std::vector<T>& out) {
  for (const std::string& part : SplitList(text)) {
    T value{};
    OTE_CHECK(ReadValue(part, value));
    out.push_back(std::move(value));
  }
  return {};
}
template <class T>
Result<void> ReadValue(const std::string& text, std::optional<T>& out) {
  T value{};
  OTE_CHECK(ReadValue(text, value));
  out = std::move(value);
  return {};
}

// The default of a flag as the help shows it; "" for none.
std::string ShowValue(const std::string& value);
std::string ShowValue(const std::filesystem::path& value);
std::string ShowValue(std::int64_t value);
std::string ShowValue(std::uint64_t value);
std::string ShowValue(double value);
std::string ShowValue(std::chrono::milliseconds value);
inline std::string ShowValue(const Labels&) { return {}; }
template <class E>
requires std::is_enum_v<E> std::string ShowValue(E value) { return std::string(NameOf(value)); }
template <class T>
std::string ShowValue(const std::vector<T>& value) {
  std::string text;
  for (const T& item : value) text += (text.empty() ? "" : ",") + ShowValue(item);
  return text;
}
template <class T>
std::string ShowValue(const std::optional<T>& value) {
  return value ? ShowValue(*value) : std::string();
}

// The values that an enum's flag takes; empty for other types.
template <class T>
std::vector<std::string> ChoicesOf() {
  std::vector<std::string> choices;
  if constexpr (std::is_enum_v<T>) {
    for (const auto& [value, name] : EnumNames<T>::kNames) choices.emplace_back(name);
  } else if constexpr (codec::IsOptional<T>::value) {
    return ChoicesOf<typename T::value_type>();
  }
  return choices;
}
template <class T>
inline constexpr bool kRepeats = false;
template <class T>
inline constexpr bool kRepeats<std::vector<T>> = true;
template <>
inline constexpr bool kRepeats<Labels> = true;

}  // namespace ote::cli
