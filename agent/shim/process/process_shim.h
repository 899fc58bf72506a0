// The process shim: native commands, each under a supervisor of its own.
#pragma once

#include <memory>

#include "agent/shim/process/spec.h"
#include "agent/shim/shim.h"

namespace ote::agent::process {

// MakeProcessShim with another patience. kFileFailed when its folder cannot be made.
Result<std::unique_ptr<Shim>> MakeShim(ShimContext context, const Patience& patience);

}  // namespace ote::agent::process
