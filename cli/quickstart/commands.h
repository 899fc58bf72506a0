// `ote quickstart`: the whole of it on one machine, as the commands that a user would type.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command QuickstartCommand();

}  // namespace ote::cli
