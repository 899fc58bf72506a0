// What a verb is given besides its own options: streams, clock, environment, and the flags that every command has.
//
// Nothing in cli/ reads the process's own streams, clock or environment: main.cpp fills a Context with them, and a test
// with its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::cli {

enum class Format { kTable, kWide, kJson, kJsonl, kYaml, kName };
enum class ProgressMode { kAuto, kPlain, kJson, kNone };
enum class ColorMode { kAuto, kAlways, kNever };

// The flags of every command; `dry_run` and `request_id` only of those that change something.
struct Globals {
  Format output = Format::kTable;
  bool quiet = false;
  std::string state;
  std::string context;
  std::string credential;
  std::optional<std::chrono::milliseconds> timeout;
  bool yes = false;
  ProgressMode progress = ProgressMode::kAuto;
  ColorMode color = ColorMode::kAuto;
  bool dry_run = false;
  std::string request_id;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// A value; copies share the streams. One thread.
struct Context {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  const Clock& clock;
  Environment env;
  std::filesystem::path program;  // of the running `ote`, absolute; "" when unknown
  std::filesystem::path folder;   // the working folder: what relative paths are taken from
  unsigned uid = 1;
  int columns = 100;  // of the terminal
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
  Globals flags{};
  bool printed = false;  // the one document of this command is on standard output

  // The variable's value, or "" when it is not set.
  std::string Env(const std::string& name) const { return env ? env(name).value_or("") : std::string(); }
  // Whether errors and results are one JSON document.
  bool Json() const noexcept { return flags.output == Format::kJson; }
  // --timeout, or what the verb takes for enough.
  std::chrono::milliseconds Patience(std::chrono::milliseconds otherwise) const {
    return flags.timeout.value_or(otherwise);
  }
  // `path` as the agent would find it too.
  std::filesystem::path Absolute(const std::filesystem::path& path) const {
    return (path.is_absolute() ? path : folder / path).lexically_normal();
  }
};

}  // namespace ote::cli

template <>
struct ote::EnumNames<ote::cli::Format> {
  using E = ote::cli::Format;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kTable, "table"}, {E::kWide, "wide"},
                                                              {E::kJson, "json"},   {E::kJsonl, "jsonl"},
                                                              {E::kYaml, "yaml"},   {E::kName, "name"}};
};
template <>
struct ote::EnumNames<ote::cli::ProgressMode> {
  using E = ote::cli::ProgressMode;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kAuto, "auto"}, {E::kPlain, "plain"}, {E::kJson, "json"}, {E::kNone, "none"}};
};
template <>
struct ote::EnumNames<ote::cli::ColorMode> {
  using E = ote::cli::ColorMode;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kAuto, "auto"}, {E::kAlways, "always"}, {E::kNever, "never"}};
};
