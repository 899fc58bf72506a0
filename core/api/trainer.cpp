#include "core/api/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace ote::api {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortest{1'000};
constexpr milliseconds kLongest = std::chrono::hours(24 * 30);
// Less, and no interpreter starts.
constexpr std::uint64_t kLeastMemory = 16ULL << 20;
constexpr std::size_t kLongestCommand = 4096;
constexpr std::size_t kMostEntries = 64;

tl::unexpected<Error> Invalid(std::string message, std::string hint = {}) {
  return Fail(ErrorId::kTrainerInvalid, std::move(message), std::move(hint));
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool IsVariable(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= 128 && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), fits);
}

bool HasZero(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<void> ValidateLists(const Trainer& trainer) {
  if (std::max({trainer.datasets.size(), trainer.read.size(), trainer.env.size()}) > kMostEntries) {
    return Invalid(fmt::format("datasets, read, env: at most {} entries each", kMostEntries));
  }
  std::set<std::string_view> seen;
  for (const auto& dataset : trainer.datasets) {
    OTE_CHECK(CheckName("data set", dataset));
    if (!seen.insert(dataset).second) return Invalid(fmt::format("datasets: {} stands there twice", dataset));
  }
  for (const auto& path : trainer.read) {
    if (!path.starts_with('/') || HasZero(path)) return Invalid(fmt::format("read: {}: not an absolute path", path));
  }
  for (const auto& [name, value] : trainer.env) {
    if (!IsVariable(name)) return Invalid(fmt::format("env: {}: not the name of a variable", name));
    if (name.starts_with("OTE_")) return Invalid(fmt::format("env: {}: names with OTE_ are the agent's own", name));
    if (value.size() > kLongestCommand || HasZero(value)) {
      return Invalid(fmt::format("env: {}: its value is too long, or has a zero byte", name));
    }
  }
  return {};
}

}  // namespace

Result<void> Validate(const Trainer& trainer) {
  OTE_CHECK(CheckName("trainer", trainer.name));
  if (trainer.command.size() > kLongestCommand) {
    return Invalid(fmt::format("command: longer than {} bytes", kLongestCommand), "put it into a script");
  }
  OTE_TRY(auto words, SplitCommand(trainer.command));
  std::map<std::string, std::string> none;
  for (const auto& name : PlaceholderNames()) none[name];
  OTE_CHECK(FillPlaceholders(std::move(words), none));
  const auto timeout = ParseDuration(trainer.time_limit);
  if (!timeout) return Invalid(fmt::format("time limit: {}", timeout.error().message));
  if (*timeout < kShortest || *timeout > kLongest) {
    return Invalid(fmt::format("time limit: from {} to {}, not {}", FormatDuration(kShortest), FormatDuration(kLongest),
                               trainer.time_limit));
  }
  const auto memory = ParseSize(trainer.memory);
  if (!memory) return Invalid(fmt::format("memory: {}", memory.error().message));
  if (*memory != 0 && (*memory < kLeastMemory || *memory > (1ULL << 50))) {
    return Invalid(fmt::format("memory: 16MiB or more, or 0 for no limit, not {}", trainer.memory));
  }
  return ValidateLists(trainer);
}

bool SameTrainer(const Trainer& a, const Trainer& b) {
  auto copy = b;
  copy.registered_at = a.registered_at;
  copy.runs_in = a.runs_in;
  return ToJson(a) == ToJson(copy);
}

Result<std::vector<std::string>> SplitCommand(std::string_view command) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;  // of a word, which may be empty: ''
  char quote = '\0';
  if (HasZero(command)) return Invalid("command: it has a zero byte");
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote == '\'' || quote == '"') {
      const bool escapes =
          quote == '"' && c == '\\' && i + 1 < command.size() && (command[i + 1] == '"' || command[i + 1] == '\\');
      if (escapes) {
        word += command[++i];
      } else if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == '\\') {
      if (i + 1 == command.size()) return Invalid("command: it ends in a backslash");
      word += command[++i];
      inside = true;
    } else if (IsBlank(c)) {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != '\0') return Invalid(fmt::format("command: a quote {} is not closed", quote));
  if (inside) words.push_back(std::move(word));
  if (words.empty() || words.front().empty()) return Invalid("command: it names no program");
  return words;
}

const std::vector<std::string>& PlaceholderNames() {
  static const std::vector<std::string> names = {"task",     "model",   "data",   "labels",
                                                 "features", "targets", "output", "folder"};
  return names;
}

Result<std::vector<std::string>> FillPlaceholders(std::vector<std::string> words,
                                                  const std::map<std::string, std::string>& paths) {
  for (auto& word : words) {
    std::string filled;
    for (std::size_t at = 0; at < word.size();) {
      const auto end = word[at] == '{' ? word.find_first_not_of("abcdefghijklmnopqrstuvwxyz", at + 1) : 0;
      // Braces around anything but letters are text, such as JSON.
      if (word[at] != '{' || end == std::string::npos || end == at + 1 || word[end] != '}') {
        filled += word[at++];
        continue;
      }
      const auto name = word.substr(at + 1, end - at - 1);
      const auto path = paths.find(name);
      if (path == paths.end()) {
        return Invalid(fmt::format("command: {{{}}} is not known", name),
                       fmt::format("those that are: {{{}}}", fmt::join(PlaceholderNames(), "}, {")));
      }
      filled += path->second;
      at = end + 1;
    }
    word = std::move(filled);
  }
  return words;
}

}  // namespace ote::api
