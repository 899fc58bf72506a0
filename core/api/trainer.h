// A site's own way to train: a command that the site's operator registered, ote-agent(8). The author of a run can ask
// for it, and never say what it is.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// Whether the command runs inside bubblewrap: where it can be had, or never without it, or never with it.
enum class Sandbox { kAuto, kRequire, kOff };

struct Trainer {
  static constexpr std::string_view kKind = "trainer";
  std::string name;
  std::string command;                // see SplitCommand
  std::vector<std::string> datasets;  // that it is for; empty: for those that have none of their own
  std::string time_limit = "10m";     // of one round
  std::string memory = "2GiB";        // of private memory, for each of its processes; "0" for no limit
  Sandbox sandbox = Sandbox::kAuto;
  std::vector<std::string> read;           // absolute paths that it may read in the sandbox beside the usual ones
  std::map<std::string, std::string> env;  // variables that it is given beside the usual ones
  UnixMillis registered_at = 0;
  std::string runs_in;  // told in answers, not kept: "bubblewrap", or why not

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("command", self.command, kRequired);
    v("datasets", self.datasets);
    v("timeLimit", self.time_limit);
    v("memory", self.memory);
    v("sandbox", self.sandbox);
    v("read", self.read);
    v("env", self.env);
    v("registeredAt", self.registered_at);
    v("runsIn", self.runs_in);
  }
};

// Ranges and forms: kTrainerInvalid naming the field.
Result<void> Validate(const Trainer& trainer);
// Whether the same was asked for; when it was registered and where it runs do not matter.
bool SameTrainer(const Trainer& a, const Trainer& b);

// The words of a command line: parted by blanks; '…' holds everything as it stands, "…" too but for \" and \\, and a
// backslash outside of quotes takes the next character as it is. There is no shell: $, *, |, > and the like are
// characters. kTrainerInvalid for an open quote, a backslash at the end, no word, or a zero byte.
Result<std::vector<std::string>> SplitCommand(std::string_view command);

// Words may hold {name} for a path that the agent fills in. Those that there are: task, model, data, labels, features,
// targets, output, folder.
Result<std::vector<std::string>> FillPlaceholders(std::vector<std::string> words,
                                                  const std::map<std::string, std::string>& paths);
// The names alone.
const std::vector<std::string>& PlaceholderNames();

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::Sandbox> {
  using E = ote::api::Sandbox;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kAuto, "auto"}, {E::kRequire, "require"}, {E::kOff, "off"}};
};
