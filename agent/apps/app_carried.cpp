// Clusters that are reached by files: what is wanted of them, and what they say in their receipts.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/apps/app_desk.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

bool Leaves(const api::Rollout& rollout, const std::string& cluster) {
  const auto it = rollout.sites.find(cluster);
  return it != rollout.sites.end() && it->second.phase == api::SitePhase::kLeaving;
}

}  // namespace

bool AppDesk::ByHand(const std::string& cluster) const {
  const auto it = members_.records().find(cluster);
  return it != members_.records().end() && it->second.by_hand && !Online(cluster);
}

const CarriedApp* AppDesk::CarriedOf(const std::string& app, const std::string& cluster) const {
  const auto it = carried_.find(CarriedApp::KeyOf(cluster, app));
  return it == carried_.end() ? nullptr : &it->second;
}

api::Assignment AppDesk::AssignmentOf(const api::App& record, const api::AppRevision& revision) const {
  api::Assignment assignment;
  assignment.app = record.name;
  assignment.revision = revision.number;
  assignment.workload = revision.spec.workload;
  assignment.digest = api::DigestOf(assignment.workload);
  assignment.by = revision.by;
  assignment.at = revision.at;
  assignment.from = context_.membership.name;
  assignment.rollback = revision.spec.rollout.on_failure == api::OnFailure::kRollback;
  assignment.health_ms = revision.spec.rollout.health_ms;
  return assignment;
}

Result<AppDesk::Wanted> AppDesk::WantedAt(const std::string& app, const std::string& cluster) const {
  const auto it = apps_.find(app);
  if (it == apps_.end()) {
    const auto* before = CarriedOf(app, cluster);
    const bool gone = before != nullptr && before->report && before->report->removed;
    return Fail(
        ErrorId::kAppUnknown,
        gone ? fmt::format("app {}: {} has given it up", app, cluster) : fmt::format("app {}: there is none", app),
        "ote app list");
  }
  const auto& record = it->second.record;
  const auto& sites = record.rollout.sites;
  const auto site = sites.find(cluster);
  if (site == sites.end()) {
    return Fail(ErrorId::kNotFound, fmt::format("app {}: it is not for {}", app, cluster), "ote app plan " + app);
  }
  if (site->second.phase == api::SitePhase::kLeaving) return Wanted{site->second.sent, std::nullopt};
  const auto& newest = record.Newest();
  if (site->second.sent != newest.number) {
    // As over a line: nobody is given what has failed elsewhere, or what the canaries still try.
    if (record.rollout.phase == api::RolloutPhase::kStopped) {
      return Fail(
          ErrorId::kConflict,
          fmt::format("app {}: the rollout of revision {} stopped: {}", app, newest.number, record.rollout.message),
          "ote app status " + app);
    }
    const bool tried = std::any_of(sites.begin(), sites.end(), [](const auto& other) {
      const auto phase = other.second.phase;
      return other.second.canary && (phase == api::SitePhase::kWaiting || phase == api::SitePhase::kSent);
    });
    if (tried && !site->second.canary) {
      return Fail(ErrorId::kConflict, fmt::format("app {}: revision {} waits for its canaries", app, newest.number),
                  "ote app status " + app);
    }
  }
  return Wanted{newest.number, AssignmentOf(record, newest)};
}

Result<void> AppDesk::KeepCarried(CarriedApp row, const std::function<Result<void>()>& also) {
  auto rollout = std::optional<api::Rollout>();
  const auto it = apps_.find(row.app);
  if (it != apps_.end()) {
    rollout = it->second.record.rollout;
    tree::RolloutMachine machine(*rollout);
    if (row.exported && row.gives_up == Leaves(*rollout, row.cluster)) machine.Carried(row.cluster, row.revision);
    if (row.gives_up && row.report && row.report->removed) machine.Without(row.cluster);
  }
  auto kept = context_.store.Transaction([&]() -> Result<void> {
    if (also) OTE_CHECK(also());
    OTE_CHECK(context_.store.Put(row));
    if (!rollout) return {};
    auto record = it->second.record;
    record.rollout = *rollout;
    return context_.store.Put(record);
  });
  OTE_CHECK(std::move(kept));
  if (rollout) it->second.record.rollout = std::move(*rollout);
  carried_.insert_or_assign(row.Key(), row);
  if (it != apps_.end()) {
    TellWatchers(row.app);
    Soon(row.app);
  }
  return {};
}

Result<void> AppDesk::KeepNumbered(CarriedApp row, std::string_view numbers) {
  OTE_TRY(row.sequence, context_.store.NextNumber(std::string(numbers)));
  return KeepCarried(std::move(row));
}

void AppDesk::ForgetCarried(const std::string& cluster) {
  std::erase_if(carried_, [&](const auto& entry) {
    if (entry.second.cluster != cluster) return false;
    const auto removed = context_.store.Remove<CarriedApp>(entry.first);
    if (!removed) log::Error("carried app not forgotten", {{"why", removed.error().message}});
    return removed.has_value();
  });
}

void AppDesk::Released(tree::RolloutMachine& machine, const api::Rollout& rollout) const {
  std::vector<std::string> gone;
  std::vector<std::string> connected;
  for (const auto& [cluster, site] : rollout.sites) {
    if (site.phase != api::SitePhase::kLeaving || !site.carried) continue;
    if (!members_.records().contains(cluster)) {
      gone.push_back(cluster);
    } else if (Online(cluster)) {
      connected.push_back(cluster);
    }
  }
  for (const auto& cluster : gone) machine.Without(cluster);
  for (const auto& cluster : connected) machine.Connected(cluster);
}

void AppDesk::ShowCarried(const api::App& record, const api::RolloutSite& site, api::AppSiteView& shown) const {
  shown.by_hand = ByHand(shown.cluster);
  if (!shown.by_hand) return;
  const auto* row = CarriedOf(record.name, shown.cluster);
  if (row != nullptr && row->report && shown.status) shown.as_of = row->as_of;
  const bool leaving = Leaves(record.rollout, shown.cluster);
  shown.carry = leaving || site.phase == api::SitePhase::kPending;
  if (!shown.carry) return;
  const bool out = row != nullptr && row->exported && row->gives_up == leaving &&
                   (leaving || row->revision == record.Newest().number);
  const auto what = leaving ? std::string("its removal") : fmt::format("revision {}", record.Newest().number);
  shown.message = out ? what + " was exported, and its receipt is not here"
                      : fmt::format("{} waits to be carried: ote app export {} --cluster {} -o FILE", what, record.name,
                                    shown.cluster);
}

}  // namespace ote::agent
