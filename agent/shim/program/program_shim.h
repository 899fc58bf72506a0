// A shim that is a program of somebody else: ote-shim(7).
#pragma once

#include <memory>

#include "agent/shim/program/channel.h"
#include "agent/shim/shim.h"

namespace ote::agent::program {

// MakeProgramShim with another patience. kUsage when there is no command.
Result<std::unique_ptr<Shim>> MakeShim(ShimContext context, const Patience& patience);

}  // namespace ote::agent::program
