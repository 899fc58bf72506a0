// How an app is shown: as a whole, as far as it fits into one answer, or its clusters in pages.
#include <algorithm>
#include <utility>

#include "agent/apps/app_desk.h"

namespace ote::agent {
namespace {

constexpr std::size_t kRoom = wire::kMaxHeader - (64 << 10);

// What fits into one answer: first the replicas go, then what healthy clusters tell, then healthy clusters.
void Fit(api::AppView& view) {
  const auto fits = [&view] { return ToCbor(view).size() <= kRoom; };
  if (view.clusters.size() < 100 && view.spec && view.spec->workload.manifests.empty()) return;
  if (fits()) return;
  for (auto& site : view.clusters) {
    if (site.status) site.status->replicas.clear();
  }
  if (fits()) return;
  for (auto& site : view.clusters) {
    if (site.phase == api::SitePhase::kHealthy) site.status.reset();
  }
  while (!view.clusters.empty() && !fits()) {
    std::stable_sort(view.clusters.begin(), view.clusters.end(), [](const auto& a, const auto& b) {
      return (a.phase != api::SitePhase::kHealthy) > (b.phase != api::SitePhase::kHealthy);
    });
    const auto keep = view.clusters.size() / 2;
    view.omitted += std::ssize(view.clusters) - static_cast<std::int64_t>(keep);
    view.clusters.resize(keep);
  }
}

void Describe(const api::App& record, api::AppView& view) {
  view.spec = record.Newest().spec;
  view.spec->workload = api::Shown(std::move(view.spec->workload));
  for (const auto& revision : record.revisions) {
    view.revisions.push_back({revision.number, revision.digest, revision.by, revision.at, revision.note,
                              revision.outcome, revision.message});
  }
}

}  // namespace

api::AppSiteView AppDesk::SiteViewOf(const Live& live, const std::string& cluster, const api::RolloutSite& site) const {
  api::AppSiteView shown;
  shown.cluster = cluster;
  shown.phase = site.phase;
  shown.revision = site.sent;
  shown.online = Online(cluster);
  shown.message = site.message;
  shown.status = StatusOf(live.record.name, cluster);
  ShowCarried(live.record, site, shown);
  return shown;
}

api::AppView AppDesk::ViewOf(const Live& live, bool full) const {
  const auto& record = live.record;
  api::AppView view;
  view.name = record.name;
  view.removed = record.removed;
  view.phase = record.rollout.phase;
  view.message = record.rollout.message.empty() ? live.short_of : record.rollout.message;
  view.revision = record.Newest().number;
  for (const auto& [cluster, site] : record.rollout.sites) {
    auto shown = SiteViewOf(live, cluster, site);
    if (site.phase != api::SitePhase::kLeaving) {
      ++view.counts.wanted;
      // Healthy is what is so now: a cluster that is away, or that fell ill since, is not. Of one that is reached by
      // files its last receipt says so.
      const bool well =
          shown.status && shown.status->phase == api::AppPhase::kHealthy && (shown.online || shown.by_hand);
      if (site.phase == api::SitePhase::kHealthy && well) ++view.counts.healthy;
      if (site.phase == api::SitePhase::kPending || !(shown.online || shown.by_hand)) ++view.counts.pending;
      if (site.phase == api::SitePhase::kPending && shown.by_hand) ++view.counts.carry;
      if (site.phase == api::SitePhase::kFailed) ++view.counts.failed;
    }
    if (full) view.clusters.push_back(std::move(shown));
  }
  if (!full) return view;
  Describe(record, view);
  Fit(view);
  return view;
}

std::optional<api::AppShare> AppDesk::ShareOf(const Live& live, const Sees& sees, const std::string& who) const {
  if (!sees) return std::nullopt;
  api::AppShare share;
  share.who = who;
  for (const auto& [cluster, site] : live.record.rollout.sites) {
    if (site.phase == api::SitePhase::kLeaving) continue;
    ++share.of;
    if (members_.Seen(sees, cluster)) ++share.in_scope;
  }
  return share;
}

api::AppView AppDesk::PageOf(const Live& live, const api::AppShowRequest& asked, const Sees& sees) const {
  // What is the same in all pages goes with the first.
  auto view = ViewOf(live, false);
  const bool first = asked.after.empty();
  if (first) Describe(live.record, view);
  const auto& sites = live.record.rollout.sites;
  const std::size_t left = first && view.spec ? kRoom - std::min(kRoom, ToCbor(*view.spec).size()) : kRoom;
  api::PageRoom room(asked.limit, std::min(api::kPageBytes, left));
  for (auto it = sites.upper_bound(asked.after); it != sites.end(); ++it) {
    if (!members_.Seen(sees, it->first)) continue;
    auto shown = SiteViewOf(live, it->first, it->second);
    if (!room.Take(ToCbor(shown).size())) {
      view.next = view.clusters.back().cluster;
      break;
    }
    view.clusters.push_back(std::move(shown));
  }
  return view;
}

}  // namespace ote::agent
