// Starting and stopping the agent of a state folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

#include "cli/frame/context.h"
#include "core/store/state_folder.h"

namespace ote::cli {

inline constexpr std::chrono::milliseconds kReadyWait{30'000};
inline constexpr std::chrono::milliseconds kStopWait{20'000};

enum class Launched { kStarted, kRunsAlready };

// The `ote-agent` that belongs to this `ote`: the one beside it, or the first in PATH. kNotFound.
Result<std::filesystem::path> FindAgent(const Context& context);

// Makes sure that an agent runs: under systemd where that is the init system and the unit is installed, otherwise as a
// detached process that logs to agent.log. Returns once it answers, within `patience`. kAgentStart with its own words
// when it does not start, or its own error (kPortInUse, …).
Result<Launched> LaunchAgent(const Context& context, const store::StateFolder& folder,
                             std::chrono::milliseconds patience);

// Asks the agent to end (SIGTERM, or systemd) and waits until its lock is free; with `force` it is killed after half of
// `patience`. True when there was one. kTimedOut.
Result<bool> StopAgent(const Context& context, const store::StateFolder& folder, std::chrono::milliseconds patience,
                       bool force);

// What agent.pid says, while an agent holds the lock.
std::optional<int> AgentPid(const store::StateFolder& folder);

}  // namespace ote::cli
