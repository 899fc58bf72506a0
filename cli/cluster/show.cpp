// ote cluster show: one cluster, what runs there, and what it told.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/output.h"
#include "core/api/cluster_view.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

constexpr UnixMillis kFresh = 15'000;
constexpr std::size_t kMostEvents = 10;  // for people; -o json has all that are kept

struct ShowOptions {
  std::string name;
};

std::string LabelText(const api::Labels& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : labels) parts.push_back(key + "=" + value);
  return Join(parts);
}

std::string CapacityText(const api::Capacity& capacity) {
  std::vector<std::string> parts;
  if (capacity.cpu_milli > 0) parts.push_back(Number(static_cast<double>(capacity.cpu_milli) / 1000, 3) + " cpu");
  if (capacity.memory > 0) parts.push_back(FormatSize(static_cast<std::uint64_t>(capacity.memory)) + " memory");
  if (capacity.disk > 0) parts.push_back(FormatSize(static_cast<std::uint64_t>(capacity.disk)) + " disk");
  for (const auto& [kind, count] : capacity.accelerators) parts.push_back(fmt::format("{} {}", count, kind));
  return Join(parts, ", ");
}

// What is not known to be so now is not shown as if it were.
std::string PhaseText(const api::AppStatus& app, bool fresh) {
  const std::string phase(NameOf(app.phase));
  return fresh ? phase : "unknown (" + phase + ")";
}

Facts FactsOf(const api::ClusterView& view, UnixMillis now) {
  const api::Cluster& c = view.cluster;
  std::vector<std::string> commands;
  for (const auto& [phase, count] : view.commands) commands.push_back(fmt::format("{} {}", count, phase));
  Facts facts = {{"name", c.name},
                 {"status", std::string(NameOf(c.status))},
                 {"role", std::string(NameOf(c.role))},
                 {"parent", c.parent},
                 {"via", c.via},
                 {"labels", LabelText(c.labels)},
                 {"joined", FormatTime(c.joined_at)},
                 {"seen", Ago(c.last_seen, now)},
                 {"serial", std::to_string(c.serial.value)},
                 {"expires", FormatTime(c.expires_at)},
                 {"version", c.version},
                 {"platform", c.platform},
                 {"state", view.fresh_at == 0 ? "" : "as of " + Ago(view.fresh_at, now)}};
  if (view.line)
    facts.emplace_back("line", fmt::format("{} ms to {} and back", view.line->round_trip_ms, view.line->parent));
  if (view.shim) {
    const api::ShimStatus& shim = *view.shim;
    facts.emplace_back("shim", shim.shim + (shim.version.empty() ? "" : " " + shim.version) +
                                   (shim.healthy ? "" : ", in trouble: " + shim.message));
    facts.emplace_back("capacity", CapacityText(shim.capacity));
    facts.emplace_back("used", CapacityText(shim.used));
  }
  facts.emplace_back("commands", Join(commands, ", "));
  return facts;
}

std::string TextOf(const api::ClusterView& view, UnixMillis now) {
  std::string text = FactsText(FactsOf(view, now));
  const bool fresh = view.cluster.status == api::ClusterStatus::kReady && view.fresh_at + kFresh >= now;
  if (!view.cluster.datasets.empty()) {
    Table table(
        {{"DATA"}, {"TRAIN", false, true}, {"TEST", false, true}, {"FEATURES", false, true}, {"CLASSES", false, true}});
    for (const auto& d : view.cluster.datasets) {
      table.Add({d.name, std::to_string(d.train_rows), std::to_string(d.test_rows), std::to_string(d.features),
                 std::to_string(d.classes)});
    }
    text += "\n" + table.Text(true);
  }
  if (view.shim && !view.shim->nodes.empty()) {
    Table table({{"NODE"}, {"STATUS"}, {"CAPACITY"}, {"USED"}});
    for (const auto& node : view.shim->nodes) {
      table.Add({node.name, fresh ? (node.ready ? "ready" : "not ready") : "unknown", CapacityText(node.capacity),
                 CapacityText(node.used)});
    }
    text += "\n" + table.Text(true);
  }
  if (!view.apps.empty()) {
    Table table({{"APP"}, {"REVISION", false, true}, {"STATUS"}, {"HEALTHY", false, true}, {"MESSAGE"}});
    for (const auto& app : view.apps) {
      table.Add({app.Key(), std::to_string(app.revision), PhaseText(app, fresh),
                 fmt::format("{}/{}", app.healthy, app.wanted), app.message});
    }
    text += "\n" + table.Text(true);
  }
  if (!view.events.empty()) {
    Table table({{"EVENT"}, {"OF"}, {"WHEN"}, {"MESSAGE"}});
    for (std::size_t i = 0; i < view.events.size() && i < kMostEvents; ++i) {
      const auto& event = view.events[i];
      table.Add({event.kind, event.subject, Ago(event.at, now), event.message});
    }
    text += "\n" + table.Text(true);
  }
  return text;
}

Result<Exit> Show(Context& context, const ShowOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  auto view =
      link.Ask<api::ClusterView>(api::verb::kClusterShow, api::NameRequest{options.name}, context.Patience(kQuick));
  if (!view && view.error().id == ErrorId::kNotFound) {
    OTE_TRY(const auto members, FetchMembers(context));
    OTE_CHECK(FindMember(members, options.name));  // with the nearest name
  }
  OTE_CHECK(view);
  // One document: the cluster's own fields, and beside them what is known of it.
  Json json = ToJson(view->cluster);
  const Json whole = ToJson(*view);
  for (const auto& [key, value] : whole.items()) {
    if (key != "cluster") json[key] = value;
  }
  PrintOne(context, json, TextOf(*view, context.clock.WallNow()), view->cluster.name);
  return Exit::kDone;
}

}  // namespace

Command ShowClusterCommand() {
  auto options = std::make_shared<ShowOptions>();
  Command c("show", "print one cluster");
  c.About(
      "Its status, labels, certificate and data sets, its nodes, apps and newest events, and what was asked of it. Of "
      "a "
      "data set the root knows name, schema and counts only. What a cluster told before the line to it was cut is "
      "shown with its age, and as unknown.");
  c.Argument("NAME", options->name, "the cluster").Completes(Names::kCluster);
  c.Example("ote cluster show clinic-a", "for people");
  c.Example("ote cluster show clinic-a -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

}  // namespace ote::cli
