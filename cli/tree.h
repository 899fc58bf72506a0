// All commands of ote.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

// The tree that is parsed, printed as help, and made into man pages and completions.
Command MakeTree();

}  // namespace ote::cli
