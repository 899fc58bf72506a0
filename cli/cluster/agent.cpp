// ote cluster start, stop and status: the agent of a state folder.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/daemon/launch.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/api/findings.h"

namespace ote::cli {
namespace {

struct StopOptions {
  bool force = false;
};

Result<Exit> Start(Context& context, const WatchOptions& watch) {
  crypto::Init();
  OTE_CHECK(CheckWatch(context, watch));
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  OTE_TRY(const store::Membership member, folder.LoadMembership());
  if (context.flags.dry_run) {
    Say(context, fmt::format("agent of {}: {}", member.name,
                             store::FolderLock::Held(folder) ? "runs already" : "would be started"));
    return Exit::kDone;
  }
  OTE_CHECK(KeepWatch(context, folder, watch));
  OTE_TRY(const Launched launched, LaunchAgent(context, folder, context.Patience(kReadyWait)));
  const bool already = launched == Launched::kRunsAlready;
  Say(context, fmt::format("agent of {}: {}", member.name, already ? "runs already" : "started"));
  PrintOne(context, {{"name", member.name}, {"state", folder.path.string()}, {"already", already}, {"running", true}},
           "", member.name);
  return Exit::kDone;
}

Result<Exit> Stop(Context& context, const StopOptions& options) {
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  OTE_TRY(const store::Membership member, folder.LoadMembership());
  if (context.flags.dry_run) {
    Say(context, fmt::format("agent of {}: {}", member.name,
                             store::FolderLock::Held(folder) ? "would be stopped" : "does not run"));
    return Exit::kDone;
  }
  OTE_TRY(const bool stopped, StopAgent(context, folder, context.Patience(kStopWait), options.force));
  Say(context, fmt::format("agent of {}: {}", member.name, stopped ? "stopped" : "did not run"));
  PrintOne(context, {{"name", member.name}, {"state", folder.path.string()}, {"already", !stopped}, {"running", false}},
           "", member.name);
  return Exit::kDone;
}

std::string ShipText(const api::ShipStatus& ship) {
  std::string text = fmt::format("{}: {} sent, {} waiting", ship.url, ship.sent, ship.waiting);
  if (ship.dropped > 0) text += fmt::format(", {} dropped", ship.dropped);
  if (ship.refused > 0) text += fmt::format(", {} refused", ship.refused);
  return ship.message.empty() ? text : fmt::format("{} ({})", text, ship.message);
}

Result<Exit> Status(Context& context) {
  OTE_TRY(const ChosenState chosen, ChooseAgent(context));
  const store::StateFolder folder{chosen.path};
  const bool remote = !chosen.credential.empty();
  store::Membership member;
  if (!remote) {
    OTE_TRY(member, folder.LoadMembership());
  }
  auto link = remote ? AgentLink::OpenWith(chosen.credential, context.Patience(kQuick))
                     : AgentLink::OpenAt(folder.path, context.Patience(kQuick));
  if (!link && remote) return Fail(std::move(link).error());
  if (!link) {
    Json json{
        {"name", member.name}, {"role", NameOf(member.role)}, {"state", folder.path.string()}, {"running", false}};
    json.update(ErrorDocument(link.error()));
    PrintOne(context, json,
             FactsText({{"name", member.name},
                        {"role", std::string(NameOf(member.role))},
                        {"state", folder.path.string()},
                        {"agent", store::FolderLock::Held(folder) ? "does not answer" : "not running"}}),
             member.name);
    return Fail(std::move(link).error());
  }
  OTE_TRY(const auto status,
          link->Ask<api::AgentStatus>(api::verb::kAgentStatus, api::Empty{}, context.Patience(kQuick)));
  Json json = ToJson(status);
  json["running"] = true;
  if (!remote) json["state"] = folder.path.string();
  const UnixMillis now = context.clock.WallNow();
  Facts facts{{"name", status.name},
              {"role", std::string(NameOf(status.role))},
              {"state", folder.path.string()},
              {"agent", fmt::format("running, process {}, version {}, started {}", status.pid, status.version,
                                    Ago(status.started_at, now))},
              {"listen", Join(status.listen, ", ")}};
  if (!status.parent.empty()) {
    facts.push_back(
        {"parent", fmt::format("{} ({})", status.parent, status.connected ? "connected" : "not connected")});
  }
  facts.push_back({"message", status.message});
  facts.push_back({"certificate", "expires " + Ago(status.certificate_expires_at, now)});
  facts.push_back({"authority", status.fingerprint});
  if (status.role == crypto::Role::kRoot) {
    facts.push_back({"clusters", std::to_string(status.clusters)});
    facts.push_back({"runs", fmt::format("{} active", status.runs_active)});
  }
  facts.push_back({"data sets", std::to_string(status.datasets)});
  // An older agent has no answer to it.
  if (const auto found = link->Ask<api::Findings>(api::verb::kDoctorCheck, api::Empty{}, context.Patience(kQuick))) {
    json["metrics"] = found->metrics;
    facts.push_back({"metrics", found->metrics});
    if (found->ship) {
      json["logs"] = ToJson(*found->ship);
      facts.push_back({"logs", ShipText(*found->ship)});
    }
  }
  PrintOne(context, json, FactsText(facts), status.name);
  return Exit::kDone;
}

}  // namespace

Command StartCommand() {
  auto options = std::make_shared<WatchOptions>();
  Command c("start", "start the agent of a state folder");
  c.About(
      "Under systemd where it is the init system and ote-agent@.service is installed, otherwise as a detached "
      "process that logs to agent.log in the state folder. Returns once the agent is ready. If it runs already, it "
      "says so. How it is watched (ote-metrics(7)) is kept for later starts.");
  AddWatchFlags(c, *options);
  c.Example("ote cluster start", "the one of the current context");
  c.Example("ote cluster start --state /var/lib/ote", "the one of a folder");
  c.Example("ote cluster start --metrics 127.0.0.1:9440", "with metrics for a Prometheus on this machine");
  c.Exits({Exit::kFailed, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Start(context, *options); });
  return c;
}

Command StopCommand() {
  auto options = std::make_shared<StopOptions>();
  Command c("stop", "stop the agent of a state folder");
  c.About("Returns once it has ended. Runs wait for it, and go on when it is started again. If none runs, it says so.");
  c.Switch("--force", options->force, "kill it when it does not end by itself");
  c.Example("ote cluster stop", "the one of the current context");
  c.Example("ote cluster stop --force --timeout 5s", "at the latest in five seconds");
  c.Exits({Exit::kTimedOut, Exit::kRefused, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Stop(context, *options); });
  return c;
}

Command StatusCommand() {
  Command c("status", "print the state of the agent of a state folder");
  c.About(
      "Whether it runs, where it listens, whether it reaches its parent and if not why, and when its certificate "
      "expires.");
  c.Example("ote cluster status", "the one of the current context");
  c.Example("ote cluster status --state /var/lib/ote -o json", "the one of a folder, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return Status(context); });
  return c;
}

}  // namespace ote::cli
