// Founding a tree: a state folder becomes a root.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/store/state_folder.h"

namespace ote::store {

struct FoundOptions {
  std::string name;
  std::vector<std::string> listen;     // at least one tcp endpoint; port 0 is picked when the agent starts
  std::vector<std::string> advertise;  // what tokens carry; empty: worked out from `listen`
  std::string shim;                    // as in Membership
  api::TreeSettings settings;
  std::int64_t certificate_life_ms = 90LL * 24 * 3600 * 1000;
};

// Makes the authority, the keys, the root's own certificate (serial 1) and the membership. Safe to repeat after a
// crash: keys that are there are used. kConflict when the folder holds another membership, or one with another name.
Result<Membership> FoundTree(const StateFolder& folder, const FoundOptions& options, UnixMillis now);

}  // namespace ote::store
