// ote key: the keys of a state folder's agent, and those of the operators of its tree.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command KeyCommand();
Command CreateKeyCommand();
Command RevokeKeyCommand();

}  // namespace ote::cli
