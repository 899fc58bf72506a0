// ote cluster list and tree: the members as the root knows them.
#include <fmt/format.h>

#include <algorithm>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
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

std::string NodeText(const api::TreeNode& node, const std::string& margin, bool last) {
  const auto& c = node.cluster;
  const std::string data = DatasetText(c);
  const bool moved = !c.via.empty() && !c.parent.empty() && c.via != c.parent;
  return fmt::format("{}{} {}  {}{}{}\n", margin, last ? "└─" : "├─", c.name, NameOf(c.status),
                     moved ? fmt::format("  (of {}, which is lost)", c.parent) : "",
                     data.empty() ? "" : "  [" + data + "]");
}

// The branch below items[at], which ends before the returned index.
std::size_t Branch(const std::vector<api::TreeNode>& items, std::size_t at, const std::string& margin, Json& children,
                   std::string& text) {
  const auto depth = items[at].depth + 1;
  std::size_t next = at + 1;
  while (next < items.size() && items[next].depth >= depth) {
    auto after = next + 1;
    while (after < items.size() && items[after].depth > depth) ++after;
    const bool last = after >= items.size() || items[after].depth < depth;
    text += NodeText(items[next], margin, last);
    const auto& c = items[next].cluster;
    Json below = Json::array();
    Branch(items, next, margin + (last ? "   " : "│  "), below, text);
    children.push_back({{"name", c.name},
                        {"status", NameOf(c.status)},
                        {"parent", c.parent},
                        {"via", c.via},
                        {"children", std::move(below)}});
    next = after;
  }
  return next;
}

Result<Exit> Tree(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto view, link.Ask<api::TreeView>(api::verb::kClusterTree, api::Empty{}));
  const std::string self = link.Member().name;
  std::string text;
  if (!view.path.empty()) {
    for (const auto& name : view.path) text += name + " > ";
  }
  text += self;
  if (!view.rooted) text += "  (no way to the root now)";
  text += "\n";
  Json children = Json::array();
  if (!view.items.empty()) Branch(view.items, 0, "", children, text);
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
      "parent is lost hangs on another for a while. With the data sets that each has registered.");
  c.Example("ote cluster tree", "for people");
  c.Example("ote cluster tree -o json", "nested, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return Tree(context); });
  return c;
}

}  // namespace ote::cli
