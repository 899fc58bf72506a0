// ote key: the keys of a state folder's agent.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command KeyCommand();

}  // namespace ote::cli
