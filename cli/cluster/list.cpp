// ote cluster list and tree: the members as the root knows them.
#include <fmt/format.h>

#include <algorithm>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"

namespace ote::cli {
namespace {

struct ListOptions {
  Labels selector;
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
  const UnixMillis now = context.clock.WallNow();
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Cluster& c : clusters) {
    const bool wanted = std::ranges::all_of(options.selector, [&](const auto& label) {
      const auto found = c.labels.find(label.first);
      return found != c.labels.end() && found->second == label.second;
    });
    if (!wanted) continue;
    table.Add({c.name, std::string(NameOf(c.status)), std::string(NameOf(c.role)), c.parent, LabelText(c.labels),
               DatasetText(c), Ago(c.last_seen, now), c.version, c.platform, std::to_string(c.serial.value),
               Ago(c.expires_at, now)});
    items.push_back(ToJson(c));
    names.push_back(c.name);
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

// One branch: the members below `parent`, each with a line in front that tells where it hangs.
Json Branch(const std::vector<api::Cluster>& all, const std::string& parent, const std::string& margin, int depth,
            std::string* text) {
  constexpr int kDeepest = 64;  // a tree that is deeper, or runs in a circle, is cut here
  Json children = Json::array();
  std::vector<const api::Cluster*> below;
  for (const api::Cluster& c : all) {
    if (c.parent == parent && c.name != parent) below.push_back(&c);
  }
  for (std::size_t i = 0; i < below.size() && depth < kDeepest; ++i) {
    const api::Cluster& c = *below[i];
    const bool last = i + 1 == below.size();
    const std::string data = DatasetText(c);
    *text += fmt::format("{}{} {}  {}{}\n", margin, last ? "└─" : "├─", c.name, NameOf(c.status),
                         data.empty() ? "" : "  [" + data + "]");
    children.push_back({{"name", c.name},
                        {"status", NameOf(c.status)},
                        {"children", Branch(all, c.name, margin + (last ? "   " : "│  "), depth + 1, text)}});
  }
  return children;
}

Result<Exit> Tree(Context& context) {
  OTE_TRY(const auto clusters, FetchMembers(context));
  OTE_TRY(const AgentLink link, AgentLink::Open(context));
  const std::string root = link.Member().name;
  std::string text = root + "\n";
  const Json children = Branch(clusters, root, "", 0, &text);
  PrintOne(context, {{"name", root}, {"children", children}}, text, root);
  return Exit::kDone;
}

}  // namespace

Command ListClustersCommand() {
  auto options = std::make_shared<ListOptions>();
  Command c("list", "list the clusters of the tree");
  c.About("What the root knows: status, labels, data sets by name, and when each was last heard of.");
  c.Option("-l,--selector", "KEY=VALUE", options->selector, "only those that carry the label");
  c.Example("ote cluster list", "all of them");
  c.Example("ote cluster list --selector region=eu -o json", "some of them, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return List(context, *options); });
  return c;
}

Command TreeCommand() {
  Command c("tree", "draw the clusters as a tree");
  c.About("The root, its members below it, and the data sets that each has registered.");
  c.Example("ote cluster tree", "for people");
  c.Example("ote cluster tree -o json", "nested, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return Tree(context); });
  return c;
}

}  // namespace ote::cli
