// Completion scripts, made from the command tree.
//
// The scripts hold all commands, flags and choices. Names of clusters, runs and so on come from the cache file that the
// list verbs write (cli/frame/names.h); where there is none they silently give nothing. No program is started.
#pragma once

#include <functional>
#include <string>

#include "cli/frame/command.h"

namespace ote::cli {

std::string BashCompletion(const Command& root);
std::string ZshCompletion(const Command& root);
std::string FishCompletion(const Command& root);

// Calls `visit` with each command of the tree and its words ("ote cluster join"), parents first.
void ForEachCommand(const Command& root, const std::function<void(const std::string&, const Command&)>& visit);
// The flags of a command, the common ones included, without their bindings' targets: for reading only.
std::vector<Parameter> AllFlags(const Command& command);

}  // namespace ote::cli
