// Runs a credential plugin (client.authentication.k8s.io/v1).
#pragma once

#include "agent/shim/kubernetes/credentials.h"

namespace ote::kube {

// Waits for it, for at most a minute. What it prints to standard error goes to ours; it has no standard input.
Result<Auth> RunExecPlugin(const ExecPlugin& plugin, const Credentials& credentials);

}  // namespace ote::kube
