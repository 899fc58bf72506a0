// watch.json in a state folder: how its agent is watched. Beside member.json and not in it, since it is this machine's
// business alone, and the command line writes it while the agent may run; the agent reads it when it starts.
#pragma once

#include "core/api/watch.h"
#include "core/store/state_folder.h"

namespace ote::store {

// The defaults when there is none; kStoreCorrupt.
Result<api::WatchSettings> LoadWatch(const StateFolder& folder);
Result<void> SaveWatch(const StateFolder& folder, const api::WatchSettings& watch);
// Where records of the log wait to be sent.
inline std::filesystem::path SpoolFolder(const StateFolder& folder) { return folder.path / "spool"; }

}  // namespace ote::store
