#include "agent/shim/process/limits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <system_error>

#include "core/base/descriptor.h"
#include "core/base/files.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kPeriod = 100'000;  // µs, of the CPU quota
constexpr const char* kBelow = "ote-apps";

std::string ReadSmall(const fs::path& path) {
  auto text = ReadTextFile(path, 1 << 20);
  return text ? std::move(*text) : std::string();
}

bool Write(const fs::path& path, std::string_view text) noexcept {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool Exists(const fs::path& path) noexcept { return ::access(path.c_str(), F_OK) == 0; }
bool MakeGroup(const fs::path& path) noexcept { return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST; }

// The mount point of a hierarchy: of version 1 by its controller, of version 2 by "".
fs::path MountOf(const GroupSources& sources, const std::string& controller) {
  std::istringstream lines(sources.mounts);
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skip, root, point, kind, source, options;
    before >> skip >> skip >> skip >> root >> point;
    after >> kind >> source >> options;
    if (controller.empty()
            ? kind == "cgroup2"
            : kind == "cgroup" && ("," + options + ",").find("," + controller + ",") != std::string::npos)
      return point;
  }
  return {};
}

// The group of this process in it, as a path from its root.
std::string OwnOf(const GroupSources& sources, const std::string& controller) {
  std::istringstream lines(sources.own);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? line.starts_with("0::") : names.find("," + controller + ",") != std::string::npos)
      return line.substr(second + 2);
  }
  return {};
}

bool HasWord(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string have; words >> have;) {
    if (have == word) return true;
  }
  return false;
}

// A folder of version 2 below which groups with both controllers can be made; "" for none. Beside everything else
// where that is allowed; else in the subtree that was delegated to this user, whose own processes go into a leaf first,
// since a group with controllers may not have processes itself.
fs::path BaseOfV2(const GroupSources& sources) {
  const auto mount = MountOf(sources, "");
  if (mount.empty()) return {};
  for (const auto& above : {mount, mount / OwnOf(sources, "")}) {
    const auto available = ReadSmall(above / "cgroup.controllers");
    if (!HasWord(available, "memory") || !HasWord(available, "cpu")) continue;
    const auto on = above / "cgroup.subtree_control";
    if (!Write(on, "+memory +cpu")) {
      if (above == mount || !MakeGroup(above / "ote-agent")) continue;
      std::istringstream pids(ReadSmall(above / "cgroup.procs"));
      for (std::string pid; pids >> pid;) Write(above / "ote-agent" / "cgroup.procs", pid);
      if (!Write(on, "+memory +cpu")) continue;
    }
    const auto base = above / kBelow;
    if (MakeGroup(base) && Write(base / "cgroup.subtree_control", "+memory +cpu")) return base;
  }
  return {};
}

// A group of version 1 for one controller; "" for none.
fs::path GroupOfV1(const GroupSources& sources, const std::string& controller, const std::string& name) {
  const auto mount = MountOf(sources, controller);
  if (mount.empty()) return {};
  for (const auto& above : {mount / OwnOf(sources, controller), mount}) {
    if (!MakeGroup(above / kBelow) || !MakeGroup(above / kBelow / name)) continue;
    return above / kBelow / name;
  }
  return {};
}

std::string QuotaOf(std::int64_t milli) { return std::to_string(std::max<std::int64_t>(1000, milli * kPeriod / 1000)); }

}  // namespace

GroupSources ReadGroupSources() { return {ReadSmall("/proc/self/mountinfo"), ReadSmall("/proc/self/cgroup")}; }

Limits MakeLimits(const api::AppResources& resources, const std::string& name, const GroupSources& sources) {
  Limits limits;
  bool memory = resources.memory > 0, cpu = resources.cpu_milli > 0;
  if (!memory && !cpu) return limits;
  const auto base = BaseOfV2(sources);
  if (!base.empty() && MakeGroup(base / name)) {
    const auto group = base / name;
    const bool set =
        Write(group / "memory.max", memory ? std::to_string(resources.memory) : "max") &&
        Write(group / "cpu.max", fmt::format("{} {}", cpu ? QuotaOf(resources.cpu_milli) : "max", kPeriod));
    if (set) {
      if (memory) Write(group / "memory.swap.max", "0");
      Write(group / "memory.oom.group", "1");
      limits.groups = {group};
      limits.kill_file = Exists(group / "cgroup.kill");
      limits.means = "cgroup v2";
      return limits;
    }
    ::rmdir(group.c_str());
  }
  std::vector<std::string> means;
  if (memory) {
    const auto group = GroupOfV1(sources, "memory", name);
    if (!group.empty() && Write(group / "memory.limit_in_bytes", std::to_string(resources.memory))) {
      Write(group / "memory.memsw.limit_in_bytes", std::to_string(resources.memory));
      limits.groups.push_back(group);
      means.emplace_back("memory by cgroup v1");
    } else {
      limits.address_space = resources.memory;
      means.emplace_back("memory by RLIMIT_AS");
    }
  }
  if (cpu) {
    const auto group = GroupOfV1(sources, "cpu", name);
    if (!group.empty() && Write(group / "cpu.cfs_period_us", std::to_string(kPeriod)) &&
        Write(group / "cpu.cfs_quota_us", QuotaOf(resources.cpu_milli))) {
      limits.groups.push_back(group);
      means.emplace_back("cpu by cgroup v1");
    } else {
      limits.nice = 10;
      means.emplace_back("cpu by nice, which is no limit");
    }
  }
  limits.means = fmt::format("{}", fmt::join(means, ", "));
  return limits;
}

void EnterLimits(const Limits& limits) noexcept {
  for (const auto& group : limits.groups) {
    const int folder = ::open(group.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const int fd = ::openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) (void)!::write(fd, "0", 1);
  }
  if (limits.address_space > 0) {
    auto most = static_cast<rlim_t>(limits.address_space);
    rlimit now{};
    if (::getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_max != RLIM_INFINITY) most = std::min(most, now.rlim_max);
    now = {most, most};
    ::setrlimit(RLIMIT_AS, &now);
  }
  if (limits.nice != 0) (void)!::nice(limits.nice);
}

bool KillGroups(const std::vector<fs::path>& groups) noexcept {
  bool some = false;
  for (const auto& group : groups) {
    std::istringstream pids(ReadSmall(group / "cgroup.procs"));
    for (std::string text; pids >> text;) {
      pid_t pid = 0;
      std::from_chars(text.data(), text.data() + text.size(), pid);
      if (pid <= 1 || pid == ::getpid()) continue;
      some = true;
      ::kill(pid, SIGKILL);
    }
    if (some) Write(group / "cgroup.kill", "1");
  }
  return some;
}

void RemoveGroups(const std::vector<fs::path>& groups) noexcept {
  for (const auto& group : groups) ::rmdir(group.c_str());
}

std::int64_t MemoryKills(const Limits& limits) {
  for (const auto& group : limits.groups) {
    for (const char* name : {"memory.events", "memory.oom_control"}) {
      std::istringstream words(ReadSmall(group / name));
      std::string word;
      std::int64_t count = 0;
      while (words >> word >> count) {
        if (word == "oom_kill") return count;
      }
    }
  }
  return 0;
}

std::string JoinGroups(const std::vector<fs::path>& groups) {
  std::string text;
  for (const auto& group : groups) text += (text.empty() ? "" : ":") + group.string();
  return text;
}

std::vector<fs::path> SplitGroups(const std::string& text) {
  std::vector<fs::path> groups;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ':');) {
    // From a file: only ever a group of ours.
    if (part.find(std::string("/") + kBelow + "/") != std::string::npos && part.find("..") == std::string::npos)
      groups.emplace_back(part);
  }
  return groups;
}

}  // namespace ote::agent::process
