// All clusters that this agent knows, as one list or in pages of it.
#include <algorithm>
#include <utility>

#include "agent/members.h"
#include "core/base/version.h"

namespace ote::agent {

api::Cluster Members::Shown(api::Cluster cluster) {
  cluster.certificate.reset();
  cluster.trust.reset();
  return cluster;
}

api::Cluster Members::Self() const {
  api::Cluster self;
  self.name = context_.membership.name;
  self.role = context_.membership.role;
  self.status = api::ClusterStatus::kReady;
  self.version = Version();
  self.platform = Platform();
  self.last_seen = context_.clock.WallNow();
  if (auto body = context_.membership.Own()) {
    self.parent = body->parent;
    self.labels = body->labels;
    self.serial = body->serial;
    self.joined_at = body->not_before;
    self.expires_at = body->not_after;
  }
  return self;
}

std::vector<api::Cluster> Members::List() const {
  std::vector<api::Cluster> all{Self()};
  for (const auto& [name, cluster] : clusters_) all.push_back(Shown(AsOfNow(cluster)));
  for (const auto& [name, below] : routes_.All()) {
    if (!clusters_.contains(name)) all.push_back(Shown(AsOfNow(below.entry.cluster)));
  }
  std::sort(all.begin() + 1, all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

bool Members::Seen(const Sees& sees, const std::string& name) const {
  if (!sees) return true;
  const auto cluster = name == context_.membership.name ? std::optional(Self()) : Find(name);
  return cluster && sees(name, cluster->labels);
}

api::ClusterPage Members::PageOf(const api::PageQuery& query, const Sees& sees) const {
  api::ClusterPage page;
  const auto seen = [&sees](const api::Cluster& cluster) { return !sees || sees(cluster.name, cluster.labels); };
  if (query.limit <= 0) {
    page.items = List();
    std::erase_if(page.items, [&seen](const auto& cluster) { return !seen(cluster); });
    return page;
  }
  api::PageRoom room(query.limit);
  const auto self = Self();
  bool self_waits = query.after < self.name;
  auto record = clusters_.upper_bound(query.after);
  auto route = routes_.All().upper_bound(query.after);
  while (true) {
    // Of the three, the one whose name is first; one with a record and a route counts by its record.
    const bool has_record = record != clusters_.end();
    const bool has_route = route != routes_.All().end();
    if (!has_record && !has_route && !self_waits) return page;
    const bool by_record = has_record && (!has_route || record->first <= route->first);
    const auto* name = by_record ? &record->first : has_route ? &route->first : nullptr;
    api::Cluster next;
    if (self_waits && (name == nullptr || self.name <= *name)) {
      next = self;
      self_waits = false;
    } else if (by_record) {
      next = Shown(AsOfNow(record->second));
      if (has_route && route->first == record->first) ++route;
      ++record;
    } else {
      next = Shown(AsOfNow(route->second.entry.cluster));
      ++route;
    }
    if (!seen(next)) continue;
    if (!room.Take(ToCbor(next).size())) {
      page.next = page.items.back().name;
      return page;
    }
    page.items.push_back(std::move(next));
  }
}

}  // namespace ote::agent
