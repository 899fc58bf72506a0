// One command started: its words, its environment, its walls and its limits.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "agent/shim/process/limits.h"
#include "agent/shim/process/spec.h"
#include "core/base/descriptor.h"
#include "core/base/result.h"

namespace ote::agent::process {

struct Launch {
  std::vector<std::string> argv;         // argv[0] is the path of the program
  std::vector<std::string> environment;  // all that it gets
  std::filesystem::path folder;          // where it runs
  Limits limits;
  int input = -1;  // its standard streams; an input of -1 is empty
  int output = -1;
  int error = -1;
};

// Starts it as the leader of a session and a group of its own; it dies with the thread that calls. kProcessFailed with
// the system's words.
Result<pid_t> Start(const Launch& launch);

// "NAME=value" of a replica whose folder is `folder`: what the app sets, and PATH, HOME, TMPDIR, OTE_APP, OTE_REPLICA
// and OTE_CLUSTER, of which the app may set the first three itself.
std::vector<std::string> EnvironmentOf(const ReplicaSpec& spec, const std::filesystem::path& folder);

// Whether bubblewrap can make walls here, found out by making some; its path, or "" and why not.
struct Walls {
  std::string program;
  std::string why_not;
};
Walls FindWalls();
// The words that run `argv` within walls: the system to be read, without homes, /run and the agent's state; `work` and
// `tmp` of the replica to be written; its own processes only; the network as it is.
std::vector<std::string> WithinWalls(const Walls& walls, const ReplicaSpec& spec, const std::filesystem::path& folder,
                                     const std::filesystem::path& program, const std::vector<std::string>& argv);

// When a process began, in clock ticks since the machine did; 0 when there is none of that number.
std::int64_t TicksOf(pid_t pid);
// What tells this boot of the machine from any other.
std::string BootId();
// Processes below one, nearest first.
std::vector<pid_t> Below(pid_t pid);
// Ends what a supervisor that was killed left: its command, when it is still the same process, the command's group,
// its control group, and what has the replica's name in its environment.
void EndLeftovers(const ReplicaState& state, const ReplicaSpec& spec, const std::filesystem::path& folder);

}  // namespace ote::agent::process
