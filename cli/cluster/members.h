// The members of the tree, asked from the root's agent.
#pragma once

#include <string>
#include <vector>

#include "cli/frame/link.h"
#include "core/api/cluster.h"

namespace ote::cli {

// Sorted by name; the cache of names is brought up to date.
Result<std::vector<api::Cluster>> FetchMembers(const Context& context);
// kNotFound with the nearest name.
Result<api::Cluster> FindMember(const std::vector<api::Cluster>& members, const std::string& name);

}  // namespace ote::cli
