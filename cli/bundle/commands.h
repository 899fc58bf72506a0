// ote bundle: files that are carried by hand.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command BundleCommand();

}  // namespace ote::cli
