// ote cluster commands: what clusters were told to do, and what became of it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/cluster/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/pages.h"
#include "cli/frame/report.h"
#include "core/api/command_requests.h"

namespace ote::cli {
namespace {

struct CommandsOptions {
  std::string id;
  std::string cluster;
  std::int64_t limit = 100;
};

std::string PhasesText(const api::CommandView& view) {
  std::vector<std::string> parts;
  for (const auto& [phase, count] : view.phases) parts.push_back(fmt::format("{} {}", count, phase));
  return Join(parts, ", ");
}

Result<Exit> ShowOne(Context& context, const api::CommandView& view) {
  const UnixMillis now = context.clock.WallNow();
  std::string text = FactsText({{"id", view.id},
                                {"command", view.verb},
                                {"issuer", view.issuer},
                                {"by", view.by},
                                {"issued", FormatTime(view.issued_at)},
                                {"deadline", view.deadline == 0 ? "" : FormatTime(view.deadline)},
                                {"late for", view.selector},
                                {"clusters", PhasesText(view)}});
  if (!view.outcomes.empty()) {
    Table table({{"CLUSTER"}, {"OUTCOME"}, {"SINCE"}, {"CODE"}, {"MESSAGE"}});
    for (const auto& outcome : view.outcomes) {
      table.Add(
          {outcome.cluster, std::string(NameOf(outcome.phase)), Ago(outcome.at, now), outcome.code, outcome.message});
    }
    text += "\n" + table.Text(true);
  }
  PrintOne(context, ToJson(view), text, view.id);
  return Exit::kDone;
}

Result<Exit> ListCommands(Context& context, const CommandsOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto list,
          (GatherPages<api::CommandList, api::CommandList>(
              [&](const api::PageQuery& page) {
                const api::CommandQuery query{options.id, options.cluster, options.limit, page.limit, page.after};
                return link.Ask<api::CommandList>(api::verb::kClusterCommands, query, context.Patience(kQuick));
              },
              [](api::CommandList&& page, api::CommandList& all) {
                if (all.items.size() != 1 || page.items.size() != 1) return void(all = std::move(page));
                std::ranges::move(page.items.front().outcomes, std::back_inserter(all.items.front().outcomes));
              })));
  if (!options.id.empty() && list.items.size() == 1) return ShowOne(context, list.items.front());
  Table table({{"ID"}, {"COMMAND"}, {"CLUSTERS"}, {"BY"}, {"ISSUED"}, {"DEADLINE"}, {"ISSUER", true}});
  const UnixMillis now = context.clock.WallNow();
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const auto& view : list.items) {
    table.Add({view.id, view.verb, PhasesText(view), view.by, Ago(view.issued_at, now),
               view.deadline == 0 ? "none" : Ago(view.deadline, now), view.issuer});
    items.push_back(ToJson(view));
    names.push_back(view.id);
  }
  PrintList(context, items, table, names);
  if (list.more > 0) Say(context, fmt::format("{} older ones are not shown; --limit shows more", list.more));
  if (list.refused > 0) Say(context, fmt::format("{} were refused because too many waited", list.refused));
  return Exit::kDone;
}

}  // namespace

Command ListCommandsCommand() {
  auto options = std::make_shared<CommandsOptions>();
  Command c("commands", "list what clusters were told to do");
  c.About(
      "Each command is kept until every cluster that it is for has done it, refused it, or its deadline has passed: "
      "queued while a cluster is away, sent, acknowledged once the cluster has it on disk, then done, failed or "
      "expired. At a member: what it was told from above. With an id, the outcome at each cluster.");
  c.Argument("ID", options->id, "one command").Optional();
  c.Option("--cluster", "NAME", options->cluster, "only those for this cluster").Completes(Names::kCluster);
  c.Option("--limit", "N", options->limit, "at most so many, the newest");
  c.Example("ote cluster commands", "the newest hundred");
  c.Example("ote cluster commands --cluster clinic-a -o json", "those for one cluster, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return ListCommands(context, *options); });
  return c;
}

}  // namespace ote::cli
