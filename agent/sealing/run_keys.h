// The keys of runs, at their root: what the sites of a run seal their updates and answers to. A key is made when its
// run starts and wiped when the run can go on no more, so that what was recorded of a run cannot be read by those who
// take the machine later. Files of mode 0600 in keys/runs of the state folder.
#pragma once

#include <set>
#include <string>

#include "core/store/state_folder.h"
#include "crypto/keys.h"

namespace ote::agent {

// The run's key, made first when there is none. One that is damaged, or that others could read, is of no use any more:
// another takes its place, and sites do again what they had sealed to it.
Result<crypto::TransportKey> RunKey(const store::StateFolder& folder, const std::string& run);
// Overwrites the file and removes it. What a disk or a file system keeps of overwritten blocks is beyond it.
void WipeRunKey(const store::StateFolder& folder, const std::string& run);
// Those that a crash left.
void WipeRunKeysExcept(const store::StateFolder& folder, const std::set<std::string>& runs);

}  // namespace ote::agent
