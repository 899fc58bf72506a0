// What an operator on the cluster may do with what a tier above deployed there.
#include <fmt/format.h>

#include <algorithm>

#include "agent/apps/site_desk.h"

namespace ote::agent {

std::vector<api::AppView> SiteDesk::List() const {
  std::vector<api::AppView> views;
  for (const auto& [key, live] : apps_) {
    if (live.record.wanted.from.empty() || live.record.gone) continue;
    if (auto view = View(key)) views.push_back(std::move(*view));
  }
  return views;
}

Result<std::string> SiteDesk::KeyOf(const std::string& name) const {
  std::string key;
  for (const auto& [known, live] : apps_) {
    if (live.record.gone) continue;
    if (known == name) return name;
    if (live.record.wanted.app != name || live.record.wanted.from.empty()) continue;
    if (!key.empty()) {
      return Fail(ErrorId::kAppUnknown, fmt::format("app {}: {} and {} go by this name", name, key, known),
                  "say which, as in ote app show " + key);
    }
    key = known;
  }
  if (key.empty()) {
    return Fail(ErrorId::kAppUnknown, fmt::format("app {}: not on {}", name, context_.membership.name), "ote app list");
  }
  return key;
}

Result<Json> SiteDesk::Carried(const api::Command& command) {
  return command.verb == "app.set" ? Set(command) : Unset(command);
}

std::optional<api::AppStatus> SiteDesk::StatusAt(const std::string& key) const {
  const auto it = apps_.find(key);
  return it == apps_.end() ? std::nullopt : std::optional(StatusOf(it->second));
}

Result<api::AppView> SiteDesk::View(const std::string& key) const {
  const auto it = apps_.find(key);
  if (it == apps_.end()) {
    return Fail(ErrorId::kAppUnknown, fmt::format("app {}: not on {}", key, context_.membership.name), "ote app list");
  }
  const auto& record = it->second.record;
  api::AppView view;
  view.name = record.wanted.app;
  view.from = record.wanted.from;
  view.revision = record.wanted.revision;
  view.removed = record.gone;
  view.history = record.history;
  const auto status = StatusOf(it->second);
  const bool healthy = status.phase == api::AppPhase::kHealthy;
  const bool failed = status.phase == api::AppPhase::kFailed || record.rolled_back_from != 0 || record.stopped;
  view.phase = failed ? api::RolloutPhase::kStopped : healthy ? api::RolloutPhase::kDone : api::RolloutPhase::kRolling;
  view.message = status.message;
  view.counts = {1, healthy ? 1 : 0, 0, failed ? 1 : 0};
  view.spec.emplace();
  view.spec->name = view.name;
  view.spec->workload = api::Shown((record.applied ? *record.applied : record.wanted).workload);
  const auto add = [&](const api::Assignment& assignment, std::string note) {
    if (view.Find(assignment.revision) != nullptr) return;
    api::RevisionView revision;
    revision.number = assignment.revision;
    revision.digest = assignment.digest;
    revision.by = assignment.by;
    revision.at = assignment.at;
    revision.note = std::move(note);
    revision.outcome = api::RevisionOutcome::kDone;
    if (assignment.revision == record.rolled_back_from) revision.outcome = api::RevisionOutcome::kRolledBack;
    view.revisions.push_back(std::move(revision));
  };
  for (const auto& earlier : record.earlier) add(earlier, "was healthy here");
  if (record.healthy) add(*record.healthy, "was healthy here");
  add(record.wanted, "wanted by " + (record.wanted.from.empty() ? std::string("this cluster") : record.wanted.from));
  std::sort(view.revisions.begin(), view.revisions.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  api::AppSiteView site;
  site.cluster = context_.membership.name;
  site.online = true;
  site.revision = status.revision;
  site.phase = !record.overridden_by.empty() ? api::SitePhase::kOverridden
               : healthy                     ? api::SitePhase::kHealthy
               : failed                      ? api::SitePhase::kFailed
                                             : api::SitePhase::kSent;
  site.status = status;
  view.clusters.push_back(std::move(site));
  return view;
}

Result<void> SiteDesk::Override(const std::string& key, api::Workload workload, const std::string& by) {
  OTE_TRY(auto* const live, Find(key));
  auto& record = live->record;
  api::Assignment instead = record.wanted;
  instead.workload = std::move(workload);
  instead.digest = api::DigestOf(instead.workload);
  instead.by = by;
  instead.at = context_.clock.WallNow();
  record.overriding = std::move(instead);
  record.stopped = false;
  record.overridden_by = by;
  record.overridden_at = context_.clock.WallNow();
  live->note.clear();
  Note(*live, "overridden", record.wanted.revision, by, "another workload");
  OTE_CHECK(Save(*live));
  Reconcile(key);
  Publish(*live);
  return {};
}

Result<void> SiteDesk::Rollback(const std::string& key, std::int64_t to, const std::string& by) {
  OTE_TRY(auto* const live, Find(key));
  auto& record = live->record;
  live->note.clear();
  if (to == record.wanted.revision) {
    record.overriding.reset();
    record.stopped = false;
    record.overridden_by.clear();
    record.overridden_at = 0;
    record.rolled_back_from = 0;
    Note(*live, "override ended", to, by, "given back to " + record.wanted.from);
    OTE_CHECK(Save(*live));
    Reconcile(key);
    Publish(*live);
    return {};
  }
  const api::Assignment* found = nullptr;
  const auto fits = [&](const api::Assignment& one) {
    return to == 0 ? !record.applied || one.digest != record.applied->digest : one.revision == to;
  };
  for (const auto& earlier : record.earlier) {
    if (fits(earlier)) found = &earlier;
  }
  if (record.healthy && fits(*record.healthy)) found = &*record.healthy;
  if (found == nullptr) {
    return Fail(ErrorId::kRevisionUnknown,
                to == 0 ? fmt::format("app {}: no earlier revision was healthy here", key)
                        : fmt::format("app {}: revision {} was not healthy here", key, to),
                "ote app show " + key);
  }
  record.overriding = *found;
  record.stopped = false;
  record.overridden_by = by;
  record.overridden_at = context_.clock.WallNow();
  Note(*live, "overridden", record.overriding->revision, by, "an earlier revision");
  OTE_CHECK(Save(*live));
  Reconcile(key);
  Publish(*live);
  return {};
}

Result<void> SiteDesk::StopHere(const std::string& key, const std::string& by) {
  OTE_TRY(auto* const live, Find(key));
  auto& record = live->record;
  record.overriding.reset();
  record.stopped = true;
  record.overridden_by = by;
  record.overridden_at = context_.clock.WallNow();
  live->note = "stopped by " + by;
  Note(*live, "overridden", record.wanted.revision, by, "stopped");
  OTE_CHECK(Save(*live));
  Reconcile(key);
  Publish(*live);
  return {};
}

}  // namespace ote::agent
