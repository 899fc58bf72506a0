// ote app deploy, plan and diff.
#include <fmt/format.h>

#include "cli/app/commands.h"
#include "cli/app/document.h"
#include "cli/app/follow.h"
#include "cli/app/show.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct DeployOptions {
  AppFlags flags;
  std::string note;
  std::string over;
  bool detach = false;
};
struct PlanOptions {
  AppFlags flags;
  std::string app;
};

void PrintPlan(Context& context, const api::AppPlan& plan) {
  Table table({{"cluster"}, {"chosen"}, {"score", false, true}, {"parts", true}, {"why"}});
  std::vector<Json> items;
  std::vector<std::string> chosen;
  for (const auto& item : plan.items) {
    std::vector<std::string> parts;
    for (const auto& part : item.parts) parts.push_back(fmt::format("{} {}", part.name, Number(part.value)));
    std::string why = Join(item.against, "; ");
    if (item.kept) why = "has it";
    if (item.chosen && !item.online && item.by_hand) {
      why += why.empty() ? "by files: ote app export" : ", by files";
    } else if (item.chosen && !item.online) {
      why += why.empty() ? "away: pending" : ", away";
    }
    table.Add({item.cluster, item.chosen ? "yes" : "no", Number(item.score), Join(parts, ", "), why});
    items.push_back(ToJson(item));
    if (item.chosen) chosen.push_back(item.cluster);
  }
  Say(context, fmt::format("app {}: {} of {} clusters{}", plan.app, plan.chosen, std::ssize(plan.items) + plan.omitted,
                           plan.changes ? "" : "; it is deployed like that already"));
  if (plan.omitted > 0)
    Say(context, fmt::format("{} clusters do not fit into the answer and are not shown", plan.omitted));
  PrintList(context, items, table, chosen);
}

Result<Exit> Plan(Context& context, const PlanOptions& options) {
  api::DeployRequest request;
  if (options.flags.file.empty()) {
    if (options.app.empty()) return Fail(ErrorId::kUsage, "ote app plan: give an APP, or a file with -f");
    request.spec.name = options.app;
  } else {
    OTE_TRY(auto document, ReadApp(context, options.flags));
    request.spec = std::move(document.spec);
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto plan, link.Ask<api::AppPlan>(api::verb::kAppPlan, request, context.Patience(kQuick)));
  PrintPlan(context, plan);
  return Exit::kDone;
}

Result<Exit> Deploy(Context& context, const DeployOptions& options) {
  AppFlags flags = options.flags;
  if (!options.over.empty()) flags.all = true;  // it stays where it is
  OTE_TRY(const auto document, ReadApp(context, flags));
  api::DeployRequest request;
  request.spec = document.spec;
  request.note = options.note;
  request.request_id = context.flags.request_id;
  request.over = options.over;
  api::AppView view;
  {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    if (context.flags.dry_run) {
      OTE_TRY(const auto plan, link.Ask<api::AppPlan>(api::verb::kAppPlan, request, context.Patience(kQuick)));
      Say(context, "nothing was deployed");
      PrintPlan(context, plan);
      return Exit::kDone;
    }
    OTE_CHECK(Upload(context, link, document));
    OTE_TRY(view, link.Ask<api::AppView>(api::verb::kAppDeploy, request, context.Patience(kQuick)));
  }
  if (view.already) {
    Say(context, fmt::format("app {}: it is deployed like that already, as revision {}", view.name, view.revision));
  } else {
    Say(context, fmt::format("app {}: revision {}", AppName(view), view.revision));
  }
  const bool over = view.phase == api::RolloutPhase::kDone;
  if (options.detach || !options.over.empty() || (view.already && over)) {
    PrintOne(context, ToJson(view),
             fmt::format("{}  revision {}  {}\n", AppName(view), view.revision, CountsText(view.counts)),
             AppName(view));
    Next(context, "ote app status " + AppName(view));
    return Exit::kDone;
  }
  auto exit = AwaitRevision(context, view.name, view.revision);
  if (exit) Next(context, "ote app status " + view.name);
  return exit;
}

Result<Exit> Diff(Context& context, const AppFlags& flags) {
  OTE_TRY(const auto document, ReadApp(context, flags));
  api::DeployRequest request;
  request.spec = document.spec;
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(Upload(context, link, document));
  OTE_TRY(const auto diff,
          link.Ask<api::AppDiff>(api::verb::kAppDiff, request, context.Patience(std::chrono::seconds(20))));
  std::string text = diff.spec;
  for (const auto& cluster : diff.clusters) {
    if (cluster.text.empty() && cluster.error.empty()) continue;
    text += fmt::format("\n{}:{}\n", cluster.cluster, cluster.error.empty() ? "" : " " + cluster.error);
    std::string_view rest = cluster.text;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      text += "  " + Printable(rest.substr(0, end)) + "\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  if (diff.spec.empty()) Say(context, fmt::format("app {}: no difference", diff.app));
  PrintOne(context, ToJson(diff), text, diff.app);
  return Exit::kDone;
}

}  // namespace

Command DeployAppCommand() {
  auto options = std::make_shared<DeployOptions>();
  Command c("deploy", "bring an app to clusters, and wait until it is healthy there");
  c.About(
      "Each deployment is a revision; the same file again changes nothing and succeeds. It goes out in waves, as the "
      "file's rollout says; a cluster that is away gets it when it returns, one that is reached by files when ote "
      "app export was carried to it. The status is 0 when all have it and are healthy, 9 when the others are away, 1 "
      "when the rollout stopped. Ctrl-C and --timeout end the wait, not the rollout.");
  AddAppFlags(c, options->flags);
  c.Option("--note", "TEXT", options->note, "kept with the revision");
  c.Option("--over", "APP", options->over, "at a cluster: run this in place of what a tier above deployed there");
  c.Switch("--detach", options->detach, "return at once");
  c.Example("ote app deploy -f app.yaml --selector region=eu", "to all clusters of a region");
  c.Example("ote app deploy -f app.yaml --cluster clinic-a --detach", "to one, without waiting");
  c.Example("ote app deploy -f app.yaml --all --dry-run", "who would be reached");
  c.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kPartly,
           Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Deploy(context, *options); });
  return c;
}

Command PlanAppCommand() {
  auto options = std::make_shared<PlanOptions>();
  Command c("plan", "where an app would go, and for each cluster why or why not");
  c.About(
      "With a file, as it would be deployed now; with a name, as that app would be placed now. -o wide and -o json "
      "have the parts of each score.");
  c.Argument("APP", options->app, "an app that is deployed").Optional();
  AddAppFlags(c, options->flags, false);
  c.Example("ote app plan web", "why it is where it is");
  c.Example("ote app plan -f app.yaml --selector region=eu -o wide", "before it is deployed, with the scores");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Plan(context, *options); });
  return c;
}

Command DiffAppCommand() {
  auto flags = std::make_shared<AppFlags>();
  Command c("diff", "what deploying a file would change");
  c.About(
      "First against the newest revision, then, for up to 32 of the clusters that it would go to, what their shims "
      "say. Values of secret variables are never shown.");
  AddAppFlags(c, *flags);
  c.Example("ote app diff -f app.yaml --selector region=eu", "before it is deployed");
  c.Example("ote app diff -f app.yaml --cluster clinic-a", "on one cluster");
  c.Exits({Exit::kTimedOut, Exit::kUnreachable});
  c.Does([flags](Context& context) { return Diff(context, *flags); });
  return c;
}

}  // namespace ote::cli
