#include "agent/tree/view.h"

#include <map>
#include <utility>

namespace ote::agent {

void View::Start() {
  context_.rpc.RegisterCall<api::Empty>(
      api::verb::kClusterTree, kByOperator,
      [this](const Request&, const auto&) -> Result<api::TreeView> { return Tree(); });
}

api::TreeView View::Tree() const {
  api::TreeView view;
  const bool is_root = !context_.membership.parent;
  if (!is_root) view.path = uplink_.Path();
  view.rooted = uplink_.Rooted();
  const auto& self = context_.membership.name;
  const auto all = members_.List();
  std::map<std::string, std::vector<const api::Cluster*>> below;
  std::map<std::string, const api::Cluster*> known;
  for (const auto& cluster : all) known[cluster.name] = &cluster;
  for (const auto& cluster : all) {
    if (cluster.name == self) continue;
    auto via = cluster.via.empty() ? cluster.parent : cluster.via;
    if (!known.contains(via) || via == cluster.name) via = self;
    below[via].push_back(&cluster);
  }
  view.items.push_back({all.front(), "", 0});
  // Each is put out once, whatever the tiers say of each other while they move.
  std::vector<std::pair<const api::Cluster*, std::int64_t>> todo;
  const auto push = [&](const std::string& via, std::int64_t depth) {
    auto node = below.extract(via);
    if (node.empty()) return;
    for (auto it = node.mapped().rbegin(); it != node.mapped().rend(); ++it) todo.emplace_back(*it, depth);
  };
  push(self, 1);
  while (!todo.empty()) {
    const auto [cluster, depth] = todo.back();
    todo.pop_back();
    view.items.push_back({*cluster, cluster->via.empty() ? cluster->parent : cluster->via, depth});
    push(cluster->name, depth + 1);
  }
  for (const auto& [via, rest] : below) {
    for (const auto* cluster : rest) view.items.push_back({*cluster, via, 1});
  }
  return view;
}

}  // namespace ote::agent
