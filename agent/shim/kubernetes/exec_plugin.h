// Runs a credential plugin (client.authentication.k8s.io/v1).
#pragma once

#include <stop_token>

#include "agent/shim/kubernetes/credentials.h"

namespace ote::kube {

// Waits for it, for at most a minute, and no longer than until it is asked to stop: then it is killed. What it prints
// to standard error goes to ours; it has no standard input.
Result<Auth> RunExecPlugin(const ExecPlugin& plugin, const Credentials& credentials, const std::stop_token& stop);

}  // namespace ote::kube
