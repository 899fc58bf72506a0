#include "agent/tree/view.h"

#include <map>
#include <utility>

#include "core/tree/outline.h"

namespace ote::agent {

void View::Start() {
  context_.rpc.RegisterCall<api::PageQuery>(api::verb::kClusterTree, kByOperator,
                                            [this](const Request& request, const auto& query) -> Result<api::TreePage> {
                                              return Tree(query, request.Seen());
                                            });
}

std::string View::ViaOf(const api::Cluster& cluster) const {
  if (cluster.name == context_.membership.name) return {};
  return cluster.via.empty() ? cluster.parent : cluster.via;
}

std::set<std::string> View::Between(const Sees& sees) const {
  const auto all = members_.List();
  std::map<std::string, const api::Cluster*> known;
  for (const auto& cluster : all) known.emplace(cluster.name, &cluster);
  std::set<std::string> seen;
  for (const auto& cluster : all) {
    if (sees(cluster.name, cluster.labels)) seen.insert(cluster.name);
  }
  std::set<std::string> between{context_.membership.name};
  for (const auto& name : seen) {
    // Up to one that was passed before, or is not known.
    for (auto it = known.find(ViaOf(*known.at(name))); it != known.end(); it = known.find(ViaOf(*it->second))) {
      if (!between.insert(it->first).second) break;
    }
  }
  for (const auto& name : seen) between.erase(name);
  return between;
}

api::TreePage View::Tree(const api::PageQuery& query, const Sees& sees) const {
  api::TreePage page;
  if (context_.membership.parent) page.path = uplink_.Path();
  page.rooted = uplink_.Rooted();
  const auto between = sees ? Between(sees) : std::set<std::string>();
  const Sees shown = [&](const std::string& name, const api::Labels& labels) {
    return between.contains(name) || sees(name, labels);
  };
  auto clusters = members_.PageOf(query, sees ? shown : Sees());
  for (auto& cluster : clusters.items) {
    auto via = ViaOf(cluster);
    if (between.contains(cluster.name)) {
      page.context.push_back(cluster.name);
      api::Cluster name_alone;
      name_alone.name = std::move(cluster.name);
      name_alone.status = api::ClusterStatus::kUnknown;
      cluster = std::move(name_alone);
    }
    page.items.push_back({std::move(cluster), std::move(via), 0});
  }
  page.next = std::move(clusters.next);
  if (query.limit <= 0) page.items = tree::Outline(context_.membership.name, std::move(page.items));
  return page;
}

}  // namespace ote::agent
