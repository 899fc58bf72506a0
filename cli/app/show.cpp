// ote app list and show.
#include "cli/app/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/app/commands.h"
#include "cli/frame/pages.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct ShowOptions {
  std::string app;
};

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto list, link.Ask<api::AppList>(api::verb::kAppList, api::Empty{}, context.Patience(kQuick)));
  Table table({{"name"}, {"revision", false, true}, {"status"}, {"clusters"}, {"message"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const auto& view : list.items) {
    table.Add({AppName(view), std::to_string(view.revision), AppWord(view), CountsText(view.counts), view.message});
    items.push_back(ToJson(view));
    names.push_back(AppName(view));
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> Show(Context& context, const ShowOptions& options) {
  OTE_TRY(const auto view, FetchApp(context, options.app));
  SayShare(context, view);
  PrintOne(context, ToJson(view), AppText(view, context.clock.WallNow(), context.flags.output == Format::kWide),
           AppName(view));
  return Exit::kDone;
}

std::string SiteMessage(const api::AppSiteView& site) {
  std::string text = site.message;
  if (!site.status) return text;
  const auto& status = *site.status;
  if (!status.overridden_by.empty()) {
    text = fmt::format("overridden by {} at {}", status.overridden_by, FormatTime(status.overridden_at));
  }
  if (!status.message.empty() && text.find(status.message) == text.npos) {
    text += (text.empty() ? "" : "; ") + status.message;
  }
  if (!status.code.empty()) text += fmt::format(" [{}]", status.code);
  if (site.as_of != 0) {
    text += fmt::format("{}as of the receipt of {}", text.empty() ? "" : "; ", FormatTime(site.as_of));
  }
  return text;
}

}  // namespace

std::string AppName(const api::AppView& view) { return view.from.empty() ? view.name : view.from + "/" + view.name; }

std::string CountsText(const api::AppCounts& counts) {
  std::string text = fmt::format("{}/{} healthy", counts.healthy, counts.wanted);
  if (counts.pending > counts.carry) text += fmt::format(", {} pending", counts.pending - counts.carry);
  if (counts.carry > 0) text += fmt::format(", {} by files", counts.carry);
  if (counts.failed > 0) text += fmt::format(", {} failed", counts.failed);
  return text;
}

std::string AppWord(const api::AppView& view) {
  if (view.removed) return "removing";
  if (view.phase != api::RolloutPhase::kDone) return std::string(NameOf(view.phase));
  if (view.counts.healthy == view.counts.wanted) return "healthy";
  return view.counts.healthy + view.counts.pending >= view.counts.wanted ? "pending" : "degraded";
}

Table SitesTable(const api::AppView& view, UnixMillis now) {
  Table table({{"cluster"},
               {"status"},
               {"revision", false, true},
               {"healthy", false, true},
               {"restarts", false, true},
               {"since"},
               {"message"}});
  for (const auto& site : view.clusters) {
    std::string phase(NameOf(site.phase));
    std::string healthy;
    std::string since;
    std::int64_t restarts = 0;
    std::int64_t revision = site.revision;
    if (site.status) {
      const auto& status = *site.status;
      healthy = fmt::format("{}/{}", status.healthy, status.wanted);
      since = Ago(status.since, now);
      revision = status.revision;
      for (const auto& replica : status.replicas) restarts += replica.restarts;
      // What it is now, where the rollout has nothing more to say.
      if (site.phase == api::SitePhase::kHealthy) phase = NameOf(status.phase);
    }
    if (!site.online && !site.by_hand && site.phase != api::SitePhase::kLeaving)
      phase = site.revision == 0 ? "pending" : "unknown";
    table.Add({site.cluster, phase, revision == 0 ? "" : std::to_string(revision), healthy,
               site.status ? std::to_string(restarts) : "", since, SiteMessage(site)});
  }
  return table;
}

std::string AppText(const api::AppView& view, UnixMillis now, bool wide) {
  Facts facts{{"name", AppName(view)},
              {"revision", std::to_string(view.revision)},
              {"status", AppWord(view)},
              {"clusters", CountsText(view.counts)},
              {"message", view.message}};
  if (view.spec) {
    const auto& spec = *view.spec;
    const auto& w = spec.workload;
    facts.emplace_back("runs", !w.manifests.empty() ? "manifests" : !w.image.empty() ? w.image : Join(w.command, " "));
    facts.emplace_back("selector", spec.placement.selector);
    facts.emplace_back("named", Join(spec.placement.clusters, ", "));
    if (spec.placement.replicas) {
      facts.emplace_back("wanted",
                         fmt::format("{} clusters, {}", *spec.placement.replicas, NameOf(spec.placement.strategy)));
    }
  }
  std::string text = FactsText(facts);
  if (!view.revisions.empty()) {
    Table table({{"revision", false, true}, {"outcome"}, {"made"}, {"by"}, {"note"}});
    for (const auto& r : view.revisions) {
      table.Add({std::to_string(r.number), std::string(NameOf(r.outcome)), Ago(r.at, now), r.by,
                 r.message.empty() ? r.note : r.note + (r.note.empty() ? "" : "; ") + r.message});
    }
    text += "\n" + table.Text(wide);
  }
  if (!view.clusters.empty()) text += "\n" + SitesTable(view, now).Text(wide);
  if (!view.history.empty()) {
    Table table({{"when"}, {"what"}, {"revision", false, true}, {"by"}, {"message"}});
    for (const auto& h : view.history) {
      table.Add({FormatTime(h.at), h.what, std::to_string(h.revision), h.by, h.message});
    }
    text += "\n" + table.Text(wide);
  }
  return text;
}

void SayShare(Context& context, const api::AppView& view) {
  if (!view.share) return;
  Say(context, fmt::format("app {}: {} of {} clusters are in the scope of operator {}", AppName(view),
                           view.share->in_scope, view.share->of, view.share->who));
}

Result<api::AppView> FetchApp(const Context& context, const std::string& name) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  return GatherPages<api::AppView, api::AppView>(
      [&](const api::PageQuery& page) {
        return link.Ask<api::AppView>(api::verb::kAppShow, api::AppShowRequest{name, page.after, page.limit},
                                      context.Patience(kQuick));
      },
      [](api::AppView&& page, api::AppView& all) {
        page.next.reset();
        if (all.name.empty()) return void(all = std::move(page));
        std::ranges::move(page.clusters, std::back_inserter(all.clusters));
      });
}

Command ListAppsCommand() {
  Command c("list", "the apps that were deployed from this agent, and those from above");
  c.About(
      "At the agent of a cluster those that a tier above deployed there are listed as FROM/APP. Healthy counts the "
      "clusters that are so now: one that is away is not.");
  c.Example("ote app list", "all of them");
  c.Example("ote app list -o name", "their names, for a script");
  c.Exits({Exit::kUnreachable});
  c.Does([](Context& context) { return List(context); });
  return c;
}

Command ShowAppCommand() {
  auto options = std::make_shared<ShowOptions>();
  Command c("show", "one app: where it is, its revisions, and what became of it");
  c.About("The last ten revisions are kept. Values of secret variables are never shown.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Example("ote app show web", "where it runs, and its revisions");
  c.Example("ote app show hq/web", "at a cluster: what a tier above deployed there, and who set it aside");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

}  // namespace ote::cli
