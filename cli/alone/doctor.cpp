// ote doctor: what is wrong with this cluster, and what to do about it. No network is needed, and no agent.
#include <fmt/format.h>

#include <algorithm>

#include "cli/alone/commands.h"
#include "cli/daemon/launch.h"
#include "cli/doctor/checks.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"

namespace ote::cli {
namespace {

FindingList Examine(const Context& context, const store::StateFolder& folder) {
  FindingList found;
  const auto member = folder.LoadMembership();
  if (!member) {
    const bool none = member.error().id == ErrorId::kNotEnrolled;
    found.push_back({"state", FindingLevel::kProblem, member.error().message,
                     none ? "there is no cluster in this folder" : "member.json was cut off or altered",
                     none ? "ote cluster init NAME, or ote cluster join TOKEN" : "restore the folder from a backup"});
    CheckMachine(context, std::nullopt, found);
    return found;
  }
  found.push_back({"state", FindingLevel::kOk,
                   fmt::format("{} {} in {}", NameOf(member->role), member->name, folder.path.string()), "", ""});
  CheckKeys(folder, *member, found);
  const bool readable =
      std::none_of(found.begin(), found.end(), [](const Finding& f) { return f.level == FindingLevel::kProblem; });
  AgentSaid agent;
  agent.held = store::FolderLock::Held(folder);
  if (readable || !agent.held) {
    agent = AskAgent(context, folder, *member, found);
  } else {
    found.push_back(
        {"agent", FindingLevel::kOk, "runs; it was not asked, since the keys need attention first", "", ""});
  }
  CheckCertificate(context, folder, *member, found);
  CheckClock(context, folder, *member, found);
  CheckDisk(folder, found);
  CheckDatabase(folder, found);
  if (!agent.held) CheckSpool(folder, found);
  CheckPorts(folder, *member, agent, found);
  // What the agent says of its parent is that it is not connected; which step fails is found out here.
  CheckParent(context, folder, *member, agent, found);
  if (agent.findings) {
    for (Finding& finding : agent.findings->items) {
      // The clock is judged by the parent's where that is known.
      if (finding.check == "clock") {
        std::erase_if(found, [](const Finding& f) { return f.check == "clock" && f.level == FindingLevel::kOk; });
      }
      found.push_back(std::move(finding));
    }
  }
  CheckMachine(context, AgentPid(folder), found);
  return found;
}

// As it is shown: a fault is told in one cell with its cause.
std::string Told(const Finding& finding) {
  return finding.why.empty() ? finding.what : fmt::format("{} ({})", finding.what, finding.why);
}

Result<Exit> Doctor(Context& context) {
  crypto::Init();
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const FindingList found = Examine(context, store::StateFolder{chosen.path});
  Table table({{"LEVEL"}, {"CHECK"}, {"WHAT"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  std::size_t problems = 0;
  std::size_t warnings = 0;
  std::string first;
  for (const Finding& finding : found) {
    table.Add({std::string(NameOf(finding.level)), finding.check, Told(finding)});
    if (finding.level != FindingLevel::kOk && !finding.todo.empty()) table.Add({"", "", "do: " + finding.todo});
    items.push_back(ToJson(finding));
    if (finding.level != FindingLevel::kOk) names.push_back(finding.check);
    problems += finding.level == FindingLevel::kProblem ? 1 : 0;
    warnings += finding.level == FindingLevel::kWarning ? 1 : 0;
    if (finding.level == FindingLevel::kProblem && first.empty()) first = finding.todo;
  }
  PrintList(context, items, table, names);
  if (problems == 0) {
    Say(context, warnings == 0 ? std::string("all is well")
                               : fmt::format("{} {}, no problem", warnings, warnings == 1 ? "warning" : "warnings"));
    return Exit::kDone;
  }
  return Fail(ErrorId::kDoctorFound, fmt::format("{} {}", problems, problems == 1 ? "problem" : "problems"), first);
}

}  // namespace

Command DoctorCommand() {
  Command c("doctor", "examine this cluster, and tell what to do about what is wrong");
  c.About(
      "Looks at the clock, keys, certificate, disk, database, ports, the way to the parent, and at what the machine "
      "offers to apps and trainers; asks the agent, where one runs, for its shim, its queues and its log. Each finding "
      "is ok, a warning or a problem, with the cause and what to do. Nothing is changed, and neither a network nor a "
      "running agent is needed. Exits with 1 when there is a problem.");
  c.Example("ote doctor", "the cluster of the current context");
  c.Example("ote doctor --state /var/lib/ote -o json", "the one of a folder, for a program");
  c.Exits({Exit::kFailed});
  c.Does([](Context& context) { return Doctor(context); });
  return c;
}

}  // namespace ote::cli
