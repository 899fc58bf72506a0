// Limits of CPU and memory for one replica: a control group of version 2, of version 1, or what setrlimit(2) and
// nice(2) can do, in this order; and the control group is also how nothing of a replica is left behind.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/api/app.h"

namespace ote::agent::process {

// What is there of control groups, as text: what a test gives in place of the machine's own.
struct GroupSources {
  std::string mounts;  // /proc/self/mountinfo
  std::string own;     // /proc/self/cgroup
};
GroupSources ReadGroupSources();

// Where a replica's processes go: the folders of control groups whose cgroup.procs a process writes itself into.
struct Limits {
  std::string
      means;  // for people: "cgroup v2", "rlimits: no control group may be made here"; "" when none are asked for
  std::vector<std::filesystem::path> groups;
  bool kill_file = false;  // groups[0] has a cgroup.kill
  // Without groups for them.
  std::int64_t address_space = 0;  // bytes; 0 for no limit
  int nice = 0;
};

// Makes the groups of `name` and sets the limits. Never fails: `means` tells what could be had. A resource for which no
// group can be made falls back by itself.
Limits MakeLimits(const api::AppResources& resources, const std::string& name, const GroupSources& sources);
// In a child, before exec: async-signal-safe.
void EnterLimits(const Limits& limits) noexcept;
// Kills what is in the groups; whether something was.
bool KillGroups(const std::vector<std::filesystem::path>& groups) noexcept;
// Removes them once they are empty.
void RemoveGroups(const std::vector<std::filesystem::path>& groups) noexcept;
// How many processes of them the kernel has killed for want of memory.
std::int64_t MemoryKills(const Limits& limits);

// Spelling in state.json: paths with ':' between.
std::string JoinGroups(const std::vector<std::filesystem::path>& groups);
std::vector<std::filesystem::path> SplitGroups(const std::string& text);

}  // namespace ote::agent::process
