// The commands that stand alone.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command DoctorCommand();
Command ExplainCommand();
Command VersionCommand();
Command CompletionCommand();
Command HelpCommand();

}  // namespace ote::cli
