// Serves cluster.show.
#pragma once

#include "agent/commands/commands.h"
#include "agent/context.h"
#include "agent/members.h"
#include "agent/state/mirror.h"
#include "core/api/cluster_view.h"

namespace ote::agent {

// kNotFound for a cluster that is not known here.
Result<api::ClusterView> ViewCluster(const std::string& name, const Members& members, const State& state,
                                     const Commands& commands);

// All must outlive the context's Rpc.
void ServeClusterView(Context& context, const Members& members, const State& state, const Commands& commands);

}  // namespace ote::agent
