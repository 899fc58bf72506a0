// The examinations of ote doctor, each of one thing, each with no more than the state folder and this machine. None
// changes anything, and each ends in time.
#pragma once

#include <optional>
#include <vector>

#include "cli/frame/context.h"
#include "core/api/findings.h"
#include "core/api/requests.h"
#include "core/store/state_folder.h"

namespace ote::cli {

using api::Finding;
using api::FindingLevel;
using FindingList = std::vector<Finding>;

// What the running agent said; all absent when none runs.
struct AgentSaid {
  bool held = false;  // some process holds the folder's lock
  std::optional<api::AgentStatus> status;
  std::optional<api::Findings> findings;
};

// An agent that runs, answers, and is of this version.
AgentSaid AskAgent(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                   FindingList& out);

void CheckKeys(const store::StateFolder& folder, const store::Membership& member, FindingList& out);
void CheckCertificate(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                      FindingList& out);
void CheckClock(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                FindingList& out);
void CheckDisk(const store::StateFolder& folder, FindingList& out);
void CheckDatabase(const store::StateFolder& folder, FindingList& out);
// What of the log waits to be sent, where no agent runs that would tell.
void CheckSpool(const store::StateFolder& folder, FindingList& out);
// Endpoints and the metrics' address: bound by the agent that runs, or free.
void CheckPorts(const store::StateFolder& folder, const store::Membership& member, const AgentSaid& agent,
                FindingList& out);
// By a connection of its own, unless the agent has one: name, TCP, keys, and which of them fails.
void CheckParent(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                 const AgentSaid& agent, FindingList& out);
// What no state folder is needed for: sandboxes, control groups, limits.
void CheckMachine(const Context& context, const std::optional<int>& agent_pid, FindingList& out);

}  // namespace ote::cli
