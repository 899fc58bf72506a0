// One command from its arguments to its exit status.
#pragma once

#include <string>
#include <vector>

#include "cli/frame/command.h"

namespace ote::cli {

// `args` without the program's name. Never throws: what a library throws past its wrapper is reported as a bug.
int RunCommand(const Command& root, const std::vector<std::string>& args, Context& context);

}  // namespace ote::cli
