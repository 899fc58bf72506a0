// ote context: names for state folders.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command ContextCommand();

}  // namespace ote::cli
