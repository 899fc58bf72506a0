// Giving up a membership without losing it.
#pragma once

#include <filesystem>

#include "cli/frame/context.h"
#include "core/store/state_folder.h"

namespace ote::cli {

// Stops the agent and moves membership, keys, store and artifacts into a folder `replaced-<time>` beside them; returns
// that folder. A failure half-way leaves both parts on disk, and says which file could not be moved.
Result<std::filesystem::path> PutAside(const Context& context, const store::StateFolder& folder);

}  // namespace ote::cli
