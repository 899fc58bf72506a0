// The shim's side of a supervisor: starting one, reaching one, and telling whether one lives.
#pragma once

#include <filesystem>

#include "core/base/descriptor.h"
#include "core/base/result.h"

namespace ote::agent::process {

// Starts `self supervise FOLDER` as nobody's child, with nothing of this process. What comes back is at its end once
// the supervisor listens, or is dead. kProcessFailed.
Result<Descriptor> StartSupervisor(const std::filesystem::path& self, const std::filesystem::path& folder);
// A connection to the supervisor of a folder; none when nobody listens there.
Descriptor ReachSupervisor(const std::filesystem::path& folder);
bool SupervisorLives(const std::filesystem::path& folder);

}  // namespace ote::agent::process
