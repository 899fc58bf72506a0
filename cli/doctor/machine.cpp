// What the machine offers: an agent that runs, sandboxes, control groups, limits.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sstream>

#include "cli/daemon/process.h"
#include "cli/doctor/checks.h"
#include "cli/frame/link.h"
#include "core/base/files.h"
#include "core/base/version.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTry{5'000};
constexpr std::uint64_t kFewFiles = 1024;

// The soft limit on open files of a process, from proc(5)'s limits; 0 when it cannot be told.
std::uint64_t OpenFilesOf(int pid) {
  const auto text = ReadTextFile(fmt::format("/proc/{}/limits", pid), 1 << 16);
  if (!text) return 0;
  const auto at = text->find("Max open files");
  if (at == std::string::npos) return 0;
  std::istringstream rest(text->substr(at + 14));
  std::string soft;
  rest >> soft;
  return soft == "unlimited" ? UINT64_MAX : std::strtoull(soft.c_str(), nullptr, 10);
}

Finding Isolation() {
  const auto status =
      RunQuietly({"bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--dev", "/dev", "true"}, nullptr, kTry);
  if (status && *status == 0) return {"isolation", FindingLevel::kOk, "bubblewrap works", "", ""};
  const bool there = status && *status != 127;
  return {"isolation", FindingLevel::kWarning,
          there ? "bubblewrap is there, but may not make namespaces" : "bubblewrap is not installed",
          "trainers and native apps run without a sandbox of their own",
          there ? "sysctl kernel.unprivileged_userns_clone=1, or run the agent as root" : "apt-get install bubblewrap"};
}

Finding ControlGroups() {
  std::error_code ignored;
  if (std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers", ignored)) {
    const bool writable = ::access("/sys/fs/cgroup", W_OK) == 0;
    return {"cgroups", FindingLevel::kOk,
            writable ? "version 2" : "version 2, read-only for this user: limits of apps are by rlimits", "", ""};
  }
  if (std::filesystem::exists("/sys/fs/cgroup/memory", ignored)) {
    const bool writable = ::access("/sys/fs/cgroup/memory", W_OK) == 0;
    return {"cgroups", FindingLevel::kOk,
            writable ? "version 1" : "version 1, read-only for this user: limits of apps are by rlimits", "", ""};
  }
  return {"cgroups", FindingLevel::kWarning, "none are mounted",
          "limits of native apps are by rlimits, each process by itself", "mount -t cgroup2 none /sys/fs/cgroup"};
}

}  // namespace

AgentSaid AskAgent(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                   FindingList& out) {
  AgentSaid said;
  said.held = store::FolderLock::Held(folder);
  const std::string state = folder.path.string();
  const bool by_hand = member.role == crypto::Role::kMember && !member.parent;
  if (!said.held && by_hand) {
    out.push_back({"agent", FindingLevel::kOk, "does not run; a cluster that is reached by hand needs none", "", ""});
    return said;
  }
  if (!said.held) {
    out.push_back({"agent", FindingLevel::kProblem, "does not run", "the cluster takes no part while it is down",
                   "ote cluster start --state " + state});
    return said;
  }
  auto link = AgentLink::OpenAt(folder.path, context.Patience(kTry));
  auto status = link ? link->Ask<api::AgentStatus>(api::verb::kAgentStatus, api::Empty{}, context.Patience(kTry))
                     : Result<api::AgentStatus>(Fail(link.error()));
  if (!status) {
    out.push_back({"agent", FindingLevel::kProblem, "runs, but does not answer", status.error().message,
                   "ote cluster stop --force --state " + state + ", then start it"});
    return said;
  }
  said.status = std::move(*status);
  if (said.status->version != Version()) {
    out.push_back({"agent", FindingLevel::kWarning,
                   fmt::format("version {}, and this command is {}", said.status->version, Version()),
                   "it was not started again after an update", "ote cluster stop, ote cluster start"});
  } else {
    out.push_back({"agent", FindingLevel::kOk, fmt::format("runs, version {}", said.status->version), "", ""});
  }
  auto found = link->Ask<api::Findings>(api::verb::kDoctorCheck, api::Empty{}, context.Patience(kTry));
  if (found) {
    said.findings = std::move(*found);
  } else {
    out.push_back({"agent", FindingLevel::kWarning, "does not examine itself", found.error().message,
                   "start it again with the version of this command"});
  }
  return said;
}

void CheckMachine(const Context&, const std::optional<int>& agent_pid, FindingList& out) {
  out.push_back(Isolation());
  out.push_back(ControlGroups());
  rlimit limit{};
  std::uint64_t files = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
  if (agent_pid) files = OpenFilesOf(*agent_pid);
  if (files == 0) return;
  const std::string whose = agent_pid ? "the agent" : "a process of this user";
  const auto number = files == UINT64_MAX ? std::string("any number of") : std::to_string(files);
  if (files < kFewFiles) {
    out.push_back({"limits", FindingLevel::kWarning, fmt::format("{} may open {} files", whose, number),
                   "each cluster below and each app takes some", "ulimit -n 65536, or LimitNOFILE= in the unit"});
  } else {
    out.push_back({"limits", FindingLevel::kOk, fmt::format("{} may open {} files", whose, number), "", ""});
  }
}

}  // namespace ote::cli
