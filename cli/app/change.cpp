// ote app restart, rollback and remove.
#include <fmt/format.h>

#include "cli/app/commands.h"
#include "cli/app/follow.h"
#include "cli/app/show.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct ChangeOptions {
  std::string app;
  std::vector<std::string> clusters;
  std::int64_t to = 0;
  bool detach = false;
};

void Print(Context& context, const api::AppView& view) {
  PrintOne(context, ToJson(view),
           fmt::format("{}  revision {}  {}\n", AppName(view), view.revision, CountsText(view.counts)), AppName(view));
}

// What it would be done to.
Result<Exit> Dry(Context& context, const ChangeOptions& options, std::string_view what) {
  OTE_TRY(const auto view, FetchApp(context, options.app));
  SayShare(context, view);
  Say(context, fmt::format("app {}: would be {} on {} clusters", AppName(view), what,
                           options.clusters.empty() ? view.clusters.size() : options.clusters.size()));
  Print(context, view);
  return Exit::kDone;
}

Result<Exit> Restart(Context& context, const ChangeOptions& options) {
  if (context.flags.dry_run) return Dry(context, options, "restarted");
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto view,
          link.Ask<api::AppView>(api::verb::kAppRestart,
                                 api::AppTarget{options.app, options.clusters, context.flags.request_id},
                                 context.Patience(std::chrono::seconds(60))));
  SayShare(context, view);
  Say(context, fmt::format("app {}: told to restart; clusters that are away are told for an hour", AppName(view)));
  Print(context, view);
  Next(context, "ote app status " + AppName(view));
  return Exit::kDone;
}

Result<Exit> Rollback(Context& context, const ChangeOptions& options) {
  if (context.flags.dry_run) return Dry(context, options, "rolled back");
  api::AppView view;
  {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    OTE_TRY(view, link.Ask<api::AppView>(api::verb::kAppRollback,
                                         api::RollbackRequest{options.app, options.to, context.flags.request_id},
                                         context.Patience(kQuick)));
  }
  if (view.already) Say(context, fmt::format("app {}: it is at that already", AppName(view)));
  if (view.already || options.detach || !view.from.empty()) {
    Print(context, view);
    Next(context, "ote app status " + AppName(view));
    return Exit::kDone;
  }
  Say(context, fmt::format("app {}: revision {}", view.name, view.revision));
  return AwaitRevision(context, view.name, view.revision);
}

Result<Exit> Remove(Context& context, const ChangeOptions& options) {
  if (context.flags.dry_run) return Dry(context, options, "removed");
  OTE_TRY(const auto known, FetchApp(context, options.app));
  OTE_CHECK(Confirm(context, fmt::format("stop app {} on {} clusters and forget its revisions?", AppName(known),
                                         known.clusters.size())));
  api::AppView view;
  {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    OTE_TRY(view,
            link.Ask<api::AppView>(api::verb::kAppRemove, api::AppTarget{options.app, {}, context.flags.request_id},
                                   context.Patience(kQuick)));
  }
  if (!view.from.empty()) {
    Say(context, fmt::format("app {}: stopped here; ote app rollback {} --to {} gives it back", AppName(view),
                             AppName(view), view.revision));
    Print(context, view);
    return Exit::kDone;
  }
  if (!options.detach) {
    // Clusters that are away give it up when they return: they are not waited for.
    api::AppView last = view;
    const auto gone = FollowApp(context, view.name, last, [](const api::AppView& seen) {
      return std::none_of(seen.clusters.begin(), seen.clusters.end(), [](const auto& site) { return site.online; });
    });
    if (!gone && gone.error().id != ErrorId::kAppUnknown) return Fail(gone.error());
    const auto left = gone ? std::ssize(gone->clusters) : 0;
    if (left > 0) {
      Print(context, *gone);
      const auto carry =
          std::count_if(gone->clusters.begin(), gone->clusters.end(), [](const auto& s) { return s.carry; });
      if (left > carry) {
        Warn(context,
             fmt::format("app {}: {} clusters are away, and give it up when they return", view.name, left - carry));
      }
      WarnOfCarriage(context, *gone);
      return Exit::kPartly;
    }
    view.clusters.clear();
    view.counts = {};
  }
  PrintOne(context, ToJson(view), fmt::format("{}: removed\n", view.name), view.name);
  return Exit::kDone;
}

}  // namespace

Command RestartAppCommand() {
  auto options = std::make_shared<ChangeOptions>();
  Command c("restart", "start an app anew on its clusters");
  c.About(
      "The revision stays. Clusters that are away are told for an hour. For an operator with a scope: on those of its "
      "clusters that are in it.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Option("--cluster", "NAMES", options->clusters, "only there").Completes(Names::kCluster);
  c.Example("ote app restart web", "everywhere");
  c.Example("ote app restart web --cluster clinic-a", "at one cluster");
  c.Exits({Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Restart(context, *options); });
  return c;
}

Command RollbackAppCommand() {
  auto options = std::make_shared<ChangeOptions>();
  Command c("rollback", "return to an earlier revision of an app");
  c.About(
      "It goes out as a new revision, in waves, and is waited for like one. At a cluster that has the app from above: "
      "to a revision that was healthy there, which holds until the tier above deploys a newer one; with --to and the "
      "revision that is wanted above, what was set aside is given back.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Option("--to", "REVISION", options->to, "the revision; 0 for the last that was healthy before this one");
  c.Switch("--detach", options->detach, "return at once");
  c.Example("ote app rollback web", "to the one before");
  c.Example("ote app rollback web --to 3", "to a certain one");
  c.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kUnreachable, Exit::kNotFound, Exit::kPartly, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Rollback(context, *options); });
  return c;
}

Command RemoveAppCommand() {
  auto options = std::make_shared<ChangeOptions>();
  Command c("remove", "stop an app on all of its clusters and forget it");
  c.About(
      "Clusters that are away give it up when they return, those that are reached by files when ote app export was "
      "carried to them. At a cluster that has the app from above it is stopped "
      "there, until the tier above deploys a newer revision.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Switch("--detach", options->detach, "do not wait for the clusters");
  c.Example("ote app remove web --yes", "without being asked");
  c.Example("ote app remove web --dry-run", "where it would be stopped");
  c.Exits({Exit::kTimedOut, Exit::kUnreachable, Exit::kNotFound, Exit::kPartly, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
