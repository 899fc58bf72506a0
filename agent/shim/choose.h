// Which shim an agent has, by its membership.
#pragma once

#include <memory>
#include <string>

#include "agent/shim/shim.h"
#include "core/store/state_folder.h"

namespace ote::agent {

// "process" for a member and "none" for a root, where nothing else was asked for.
std::string ShimOf(const store::Membership& membership);

// nullptr for "none"; kShimUnknown for a kind that there is not. `context.rest` is filled in here.
Result<std::unique_ptr<Shim>> MakeShim(const std::string& spelled, ShimContext context);

}  // namespace ote::agent
