// From arguments to a command whose options are set. The only place that knows CLI11.
#pragma once

#include <string>
#include <vector>

#include "cli/frame/command.h"

namespace ote::cli {

// Which command the arguments name, and what is left of them for it.
struct Resolved {
  std::vector<const Command*> path;  // from the root; at least the root itself
  std::vector<std::string> rest;     // flags that stood before the verb included
  bool help = false;                 // -h or --help was among them
  const Command& Last() const { return *path.back(); }
  // "ote cluster join"
  std::string Words() const;
};

// kUsage for a word that is no verb, naming the nearest one.
Result<Resolved> Resolve(const Command& root, const std::vector<std::string>& args);

// Reads `resolved.rest` into the command's options and `flags`. kUsage naming the flag, what is wrong with its value,
// or the nearest flag that is known.
Result<void> Parse(const Resolved& resolved, Globals& flags);

}  // namespace ote::cli
