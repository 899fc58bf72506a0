// ote cluster list and tree: the members as the root knows them.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/frame/pages.h"
#include "core/tree/outline.h"
#include "core/tree/selector.h"

namespace ote::cli {
namespace {

struct ListOptions {
  std::vector<std::string> selector;
};

std::string LabelText(const api::Labels& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : labels) parts.push_back(key + "=" + value);
  return Join(parts);
}

std::string DatasetText(const api::Cluster& cluster) {
  std::vector<std::string> names;
  for (const auto& dataset : cluster.datasets) names.push_back(dataset.name);
  return Join(names);
}

// Whom it hangs on, and whose it is when that is another.
std::string ParentText(const api::Cluster& cluster) {
  if (cluster.via.empty() || cluster.parent.empty() || cluster.via == cluster.parent) return cluster.parent;
  return fmt::format("{} (of {})", cluster.via, cluster.parent);
}

Result<Exit> List(Context& context, const ListOptions& options) {
  OTE_TRY(auto clusters, FetchMembers(context));
  Table table({{"NAME"},
               {"STATUS"},
               {"ROLE"},
               {"PARENT"},
               {"LABELS"},
               {"DATA"},
               {"SEEN"},
               {"VERSION", true},
               {"PLATFORM", true},
               {"SERIAL", true},
               {"EXPIRES", true}});
  auto selector = tree::Selector::All();
  if (!options.selector.empty()) {
    OTE_TRY(selector, tree::Selector::Parse(fmt::format("{}", fmt::join(options.selector, ","))));
  }
  const UnixMillis now = context.clock.WallNow();
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Cluster& c : clusters) {
    if (!selector.Matches(c.name, c.labels)) continue;
    table.Add({c.name, std::string(NameOf(c.status)), std::string(NameOf(c.role)), ParentText(c), LabelText(c.labels),
               DatasetText(c), Ago(c.last_seen, now), c.version, c.platform, std::to_string(c.serial.value),
               Ago(c.expires_at, now)});
    items.push_back(ToJson(c));
    names.push_back(c.name);
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

using NameSet = std::set<std::string>;

std::string NodeText(const api::TreeNode& node, bool name_alone, const std::string& margin, bool last) {
  const auto& c = node.cluster;
  if (name_alone) return fmt::format("{}{} {}\n", margin, last ? "└─" : "├─", c.name);
  const std::string data = DatasetText(c);
  const bool moved = !c.via.empty() && !c.parent.empty() && c.via != c.parent;
  return fmt::format("{}{} {}  {}{}{}\n", margin, last ? "└─" : "├─", c.name, NameOf(c.status),
                     moved ? fmt::format("  (of {}, which is lost)", c.parent) : "",
                     data.empty() ? "" : "  [" + data + "]");
}

// The branch below items[at], which ends before the returned index.
std::size_t Branch(const std::vector<api::TreeNode>& items, const NameSet& name_alone, std::size_t at,
                   const std::string& margin, Json& children, std::string& text) {
  const auto depth = items[at].depth + 1;
  std::size_t next = at + 1;
  while (next < items.size() && items[next].depth >= depth) {
    auto after = next + 1;
    while (after < items.size() && items[after].depth > depth) ++after;
    const bool last = after >= items.size() || items[after].depth < depth;
    const auto& c = items[next].cluster;
    const bool no_more = name_alone.contains(c.name);
    text += NodeText(items[next], no_more, margin, last);
    Json below = Json::array();
    Branch(items, name_alone, next, margin + (last ? "   " : "│  "), below, text);
    if (no_more) {
      children.push_back({{"name", c.name}, {"children", std::move(below)}});
    } else {
      children.push_back({{"name", c.name},
                          {"status", NameOf(c.status)},
                          {"parent", c.parent},
                          {"via", c.via},
                          {"children", std::move(below)}});
    }
    next = after;
  }
  return next;
}

Result<api::TreePage> FetchTree(const Context& context, AgentLink& link) {
  return GatherPages<api::TreePage, api::TreePage>(
      [&](const api::PageQuery& query) {
        return link.Ask<api::TreePage>(api::verb::kClusterTree, query, context.Patience(kQuick));
      },
      [](api::TreePage&& page, api::TreePage& all) {
        std::ranges::move(page.context, std::back_inserter(all.context));
        all.path = std::move(page.path);
        all.rooted = page.rooted;
        std::ranges::move(page.items, std::back_inserter(all.items));
      });
}

Result<Exit> Tree(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  const std::string self = link.Member().name;
  OTE_TRY(auto view, FetchTree(context, link));
  view.items = tree::Outline(self, std::move(view.items));
  std::string text;
  if (!view.path.empty()) {
    for (const auto& name : view.path) text += name + " > ";
  }
  text += self;
  if (!view.rooted) text += "  (no way to the root now)";
  text += "\n";
  Json children = Json::array();
  const NameSet name_alone(view.context.begin(), view.context.end());
  if (!view.items.empty()) Branch(view.items, name_alone, 0, "", children, text);
  PrintOne(context, {{"name", self}, {"path", view.path}, {"rooted", view.rooted}, {"children", children}}, text, self);
  return Exit::kDone;
}

}  // namespace

Command ListClustersCommand() {
  auto options = std::make_shared<ListOptions>();
  Command c("list", "list the clusters of the tree");
  c.About("What the root knows: status, labels, data sets by name, and when each was last heard of.");
  c.Option("-l,--selector", "SELECTOR", options->selector,
           "only those that it names, such as region=eu,tier!=lab (ote-tree(7))");
  c.Example("ote cluster list", "all of them");
  c.Example("ote cluster list --selector region=eu -o json", "some of them, for a program");
  c.Exits({Exit::kUsage, Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return List(context, *options); });
  return c;
}

Command TreeCommand() {
  Command c("tree", "draw the clusters as a tree");
  c.About(
      "The agent that is asked, what is above it, and all that is below it, each where it hangs now: one whose own "
      "parent is lost hangs on another for a while. With the data sets that each has registered. An operator with a "
      "scope is shown what is in it, and the names alone of those that it hangs on.");
  c.Example("ote cluster tree", "for people");
  c.Example("ote cluster tree -o json", "nested, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return Tree(context); });
  return c;
}

}  // namespace ote::cli
