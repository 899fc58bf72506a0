// How AppDesk brings its clusters to what is wanted: placement and rollout decide, commands carry it out.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/apps/app_desk.h"
#include "agent/state/distance.h"
#include "core/base/log.h"
#include "core/tree/selector.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

void Add(api::Capacity& to, const api::Capacity& more) {
  to.cpu_milli += more.cpu_milli;
  to.memory += more.memory;
  to.disk += more.disk;
  for (const auto& [kind, count] : more.accelerators) to.accelerators[kind] += count;
}

// What others use: what the cluster tells, less what this app has there, but no less than what was set aside for them.
api::Capacity ByOthers(const api::Capacity& told, const api::Capacity& held, const api::Capacity& set_aside) {
  api::Capacity used;
  const auto pick = [](std::int64_t t, std::int64_t h, std::int64_t s) {
    return std::max({t - h, s, std::int64_t{0}});
  };
  used.cpu_milli = pick(told.cpu_milli, held.cpu_milli, set_aside.cpu_milli);
  used.memory = pick(told.memory, held.memory, set_aside.memory);
  used.disk = pick(told.disk, held.disk, set_aside.disk);
  used.accelerators = set_aside.accelerators;
  for (const auto& [kind, count] : told.accelerators) {
    const auto own = held.accelerators.find(kind);
    auto& here = used.accelerators[kind];
    here = std::max(here, count - (own == held.accelerators.end() ? 0 : own->second));
  }
  return used;
}

}  // namespace

Result<void> AppDesk::Revise(Live& live, api::AppSpec spec, const std::string& by, const std::string& note,
                             const std::string& request_id, const api::RolloutSpec& rollout) {
  auto record = live.record;
  OTE_TRY(const auto number, context_.store.NextNumber("app-revision/" + record.name));
  if (!record.revisions.empty() && record.Newest().outcome == api::RevisionOutcome::kRolling) {
    record.Newest().outcome = api::RevisionOutcome::kSuperseded;
  }
  api::AppRevision revision;
  revision.number = number;
  revision.digest = api::DigestOf(spec);
  revision.spec = std::move(spec);
  revision.by = by;
  revision.at = context_.clock.WallNow();
  revision.note = note;
  revision.request_id = request_id;
  record.revisions.push_back(std::move(revision));
  while (record.revisions.size() > api::App::kKept) {
    // The one to go back to is kept however old it is.
    const auto oldest = record.revisions.front().number == record.healthy ? std::next(record.revisions.begin())
                                                                          : record.revisions.begin();
    record.revisions.erase(oldest);
  }
  record.removed = false;
  tree::RolloutMachine(record.rollout).Begin(number, rollout);
  OTE_CHECK(context_.store.Put(record));
  live.record = std::move(record);
  log::Info("app revised", {{"app", live.record.name}, {"revision", number}, {"by", by}, {"note", note}});
  return {};
}

bool AppDesk::Online(const std::string& cluster) const { return Self(cluster) || members_.WayTo(cluster).has_value(); }

std::vector<tree::Candidate> AppDesk::Candidates(const std::string& app) const {
  std::map<std::string, api::Capacity> set_aside;
  for (const auto& [name, live] : apps_) {
    if (name == app || live.record.removed) continue;
    const auto need = tree::NeedOf(live.record.Newest().spec.workload);
    for (const auto& [cluster, site] : live.record.rollout.sites) {
      if (site.phase != api::SitePhase::kLeaving) Add(set_aside[cluster], need);
    }
  }
  const auto own = apps_.find(app);
  const auto now = context_.clock.WallNow();
  std::vector<tree::Candidate> candidates;
  for (const auto& cluster : members_.List()) {
    if (members_.IsOthers(cluster.name)) continue;
    tree::Candidate candidate;
    candidate.name = cluster.name;
    candidate.labels = cluster.labels;
    candidate.ready = Online(cluster.name);
    candidate.by_hand = ByHand(cluster.name);
    candidate.cordoned = cluster.cordoned;
    candidate.drained = cluster.drained;
    if (own != apps_.end()) {
      const auto& record = own->second.record;
      const auto site = record.rollout.sites.find(cluster.name);
      if (site != record.rollout.sites.end() && site->second.phase != api::SitePhase::kLeaving) {
        candidate.has_app = true;
        if (const auto* sent = record.Find(site->second.sent); sent != nullptr) {
          candidate.held = tree::NeedOf(sent->spec.workload);
        }
      }
      const auto after = record.Newest().spec.replace_after_ms;
      candidate.lost = !candidate.ready && !candidate.by_hand && after > 0 && now - cluster.last_seen >= after;
    }
    api::Capacity used;
    if (const auto told = board_.Get(cluster.name, state::kShim, "")) {
      if (const auto shim = FromWire<api::ShimStatus>(*told)) {
        candidate.shim = shim->shim != "none";
        candidate.capacity = shim->capacity;
        used = shim->used;
      }
    }
    if (const auto measured = RoundTripMs(board_, context_.membership.name, cluster.name)) {
      candidate.round_trip_ms = double(*measured);
    }
    candidate.used = ByOthers(used, candidate.held, set_aside[cluster.name]);
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void AppDesk::Soon(const std::string& app) {
  dirty_.insert(app);
  // A timer that waits for the end of the quiet time is brought forward: somebody may be back.
  context_.timers.Cancel(std::exchange(drive_, 0));
  drive_ = context_.timers.At(context_.clock.SteadyNow(), [this] { DriveDirty(); });
}

void AppDesk::SoonAll() {
  for (const auto& [name, live] : apps_) Soon(name);
}

void AppDesk::DriveDirty() {
  drive_ = 0;
  const bool quiet = context_.clock.SteadyNow() < quiet_until_;
  for (const auto& name : std::exchange(dirty_, {})) {
    const auto it = apps_.find(name);
    if (it == apps_.end()) continue;
    // Right after a start everybody seems away; nothing is concluded from that.
    if (quiet && SomeAway(it->second.record)) {
      dirty_.insert(name);
    } else {
      Drive(name);
    }
  }
  if (!dirty_.empty() && drive_ == 0) drive_ = context_.timers.At(quiet_until_, [this] { DriveDirty(); });
}

bool AppDesk::SomeAway(const api::App& record) const {
  const auto& sites = record.rollout.sites;
  return std::any_of(sites.begin(), sites.end(), [this](const auto& site) {
    return site.second.phase != api::SitePhase::kLeaving && !Online(site.first) && !ByHand(site.first);
  });
}

std::optional<api::AppStatus> AppDesk::StatusOf(const std::string& app, const std::string& cluster) const {
  const auto told = board_.Get(cluster, state::kApp, Self(cluster) ? app : context_.membership.name + "/" + app);
  if (!told) {
    const auto* carried = CarriedOf(app, cluster);
    return carried == nullptr || !carried->report ? std::nullopt : carried->report->status;
  }
  auto status = FromWire<api::AppStatus>(*told);
  if (!status) return std::nullopt;
  return std::move(*status);
}

void AppDesk::Drive(const std::string& name) {
  auto& live = apps_.at(name);
  const auto before = live.record.rollout;
  const auto healthy_before = live.record.healthy;
  auto& record = live.record;
  const auto& spec = record.Newest().spec;
  tree::RolloutMachine machine(record.rollout);
  UnixMillis wake = 0;
  const auto now = context_.clock.WallNow();

  std::vector<tree::RolloutMachine::Site> sites;
  if (!record.removed) {
    const auto candidates = Candidates(name);
    const auto placement = tree::Place(spec, candidates);
    if (!placement) {
      log::Error("app not placed", {{"app", name}, {"why", placement.error().message}});
      return;
    }
    const auto canary = spec.rollout.canary.empty() ? Result<tree::Selector>(tree::Selector())
                                                    : tree::Selector::Parse(spec.rollout.canary);
    for (const auto& candidate : candidates) {
      if (!std::binary_search(placement->chosen.begin(), placement->chosen.end(), candidate.name)) continue;
      // An automatic return goes to everybody at once.
      const bool first =
          canary && !record.rollout.spec.canary.empty() && canary->Matches(candidate.name, candidate.labels);
      sites.push_back({candidate.name, candidate.ready, first});
    }
    if (spec.placement.replicas && spec.replace_after_ms > 0) {
      for (const auto& cluster : members_.List()) {
        if (!record.rollout.sites.contains(cluster.name) || Online(cluster.name) || ByHand(cluster.name)) continue;
        const auto at = cluster.last_seen + spec.replace_after_ms;
        if (at > now) wake = wake == 0 ? at : std::min(wake, at);
      }
    }
    const auto wanted = spec.placement.replicas.value_or(0);
    live.short_of =
        std::cmp_less(sites.size(), wanted) ? fmt::format("{} of {} clusters can have it", sites.size(), wanted) : "";
  }
  machine.SetSites(sites);
  Released(machine, record.rollout);
  for (const auto& [cluster, site] : before.sites) {
    if (const auto status = StatusOf(name, cluster)) machine.Tell(cluster, *status);
  }
  std::vector<std::string> issue;
  std::optional<tree::RolloutAction> ended;
  for (auto& action : machine.Step(now)) {
    switch (action.kind) {
      case tree::RolloutAction::Kind::kSend:
      case tree::RolloutAction::Kind::kUnset: {
        const auto number = context_.store.NextNumber("app-order");
        if (!number) {
          log::Error("app not driven", {{"why", number.error().message}});
          record.rollout = before;
          return Wake(live, name, now + 5'000);
        }
        record.rollout.sites.at(action.cluster).order = *number;
        issue.push_back(action.cluster);
        break;
      }
      case tree::RolloutAction::Kind::kWake:
        wake = wake == 0 ? action.at : std::min(wake, action.at);
        break;
      default:
        ended = std::move(action);
    }
  }
  if (ended) Ended(live, *ended);
  const bool over = record.removed && record.rollout.sites.empty();
  if (over) {
    if (auto removed = context_.store.Remove<api::App>(name); !removed) {
      log::Error("app not forgotten", {{"why", removed.error().message}});
      return Wake(live, name, now + 5'000);
    }
    for (const auto& [cluster, digests] : live.granted) {
      for (const auto& digest : digests) grants_.revoke(cluster, digest);
    }
    context_.timers.Cancel(live.wake);
    apps_.erase(name);
    return TellWatchers(name);
  }
  if (record.rollout != before || record.healthy != healthy_before || ended) {
    if (auto saved = context_.store.Put(record); !saved) {
      log::Error("app not saved", {{"why", saved.error().message}});
      record.rollout = before;
      return Wake(live, name, now + 5'000);
    }
    TellWatchers(name);
  }
  for (const auto& cluster : issue) Issue(live, cluster);
  if (wake != 0) Wake(live, name, wake);
}

void AppDesk::Ended(Live& live, const tree::RolloutAction& action) {
  auto& record = live.record;
  auto& revision = record.Newest();
  if (action.kind == tree::RolloutAction::Kind::kDone) {
    revision.outcome = api::RevisionOutcome::kDone;
    const auto& sites = record.rollout.sites;
    const bool seen = std::any_of(sites.begin(), sites.end(),
                                  [](const auto& site) { return site.second.phase == api::SitePhase::kHealthy; });
    if (seen) record.healthy = revision.number;
    log::Info("app rolled out", {{"app", record.name}, {"revision", revision.number}});
    return;
  }
  revision.outcome = api::RevisionOutcome::kStopped;
  revision.message = action.why;
  log::Warn("rollout stopped", {{"app", record.name}, {"revision", revision.number}, {"why", action.why}});
  const auto* back = record.healthy == revision.number ? nullptr : record.Find(record.healthy);
  if (record.rollout.spec.on_failure != api::OnFailure::kRollback || back == nullptr) return;
  const auto failed = revision.number;
  api::RolloutSpec at_once = back->spec.rollout;
  at_once.canary.clear();
  at_once.max_unavailable = 0;
  at_once.max_unavailable_percent = 100;
  at_once.on_failure = api::OnFailure::kStop;
  revision.outcome = api::RevisionOutcome::kRolledBack;
  const auto note = fmt::format("back to {} by itself: {} failed", back->number, failed);
  if (auto revised = Revise(live, back->spec, context_.membership.name, note, {}, at_once); !revised) {
    live.record.Newest().outcome = api::RevisionOutcome::kStopped;
    log::Error("app not rolled back", {{"why", revised.error().message}});
    return;
  }
  Soon(live.record.name);
}

void AppDesk::Allow(Live& live, const std::string& cluster) {
  if (Self(cluster)) return;
  auto& granted = live.granted[cluster];
  for (const auto& revision : live.record.revisions) {
    for (const auto& file : revision.spec.workload.files) {
      if (granted.insert(file.digest).second) grants_.grant(cluster, file.digest);
    }
  }
}

void AppDesk::Issue(Live& live, const std::string& cluster) {
  const auto& record = live.record;
  const auto& site = record.rollout.sites.at(cluster);
  if (site.order == 0) return;
  CommandBus::Order order;
  order.request_id = fmt::format("app-order-{}", site.order);
  order.replaces = fmt::format("app/{}/{}", record.name, cluster);
  Order known{record.name, cluster, site.sent, site.phase == api::SitePhase::kLeaving, site.order};
  if (known.unset) {
    order.verb = "app.unset";
    order.by = record.Newest().by;
    order.body = ToJson(api::AppTarget{record.name, {}, {}});
  } else {
    const auto* revision = record.Find(site.sent);
    if (revision == nullptr) return;  // of long ago; whatever came of it, it is told anew when its turn comes
    Allow(live, cluster);
    order.verb = "app.set";
    order.by = revision->by;
    order.body = ToJson(AssignmentOf(record, *revision));
  }
  const auto id = bus_.Issue(order, {cluster});
  if (!id) {
    log::Error("command not issued", {{"app", record.name}, {"cluster", cluster}, {"why", id.error().message}});
    if (!known.unset) {
      tree::RolloutMachine(live.record.rollout).Refused(cluster, known.revision, id.error().message);
      Soon(known.app);
    }
    return;
  }
  orders_[*id] = known;
  // It may be over already: one that was issued before a restart, or that was executed here.
  for (const auto& outcome : bus_.OutcomesOf(*id)) {
    if (!outcome.Over()) continue;
    context_.timers.At(context_.clock.SteadyNow(), [this, alive = std::weak_ptr<bool>(alive_), outcome] {
      if (alive.lock()) TakeOutcome(outcome);
    });
  }
}

void AppDesk::TakeOutcome(const api::CommandOutcome& outcome) {
  if (const auto it = diffs_.find(outcome.id); it != diffs_.end()) {
    if (!outcome.Over()) return;
    const auto diffing = it->second;
    auto& entry = diffing->diff.clusters.at(diffing->waits.at(outcome.id));
    entry.error = outcome.phase == api::CommandPhase::kDone ? "" : outcome.message;
    if (outcome.phase == api::CommandPhase::kDone) entry.text = outcome.result.value("text", "");
    diffing->waits.erase(outcome.id);
    diffs_.erase(it);
    if (diffing->waits.empty()) FinishDiff(diffing);
    return;
  }
  const auto it = orders_.find(outcome.id);
  if (it == orders_.end() || !outcome.Over()) return;
  const auto order = it->second;
  orders_.erase(it);
  const auto app = apps_.find(order.app);
  if (app == apps_.end()) return;
  const auto& sites = app->second.record.rollout.sites;
  // One that another took the place of says nothing any more.
  if (const auto site = sites.find(order.cluster); site == sites.end() || site->second.order != order.number) return;
  tree::RolloutMachine machine(app->second.record.rollout);
  if (outcome.phase == api::CommandPhase::kDone) {
    if (order.unset) {
      machine.Left(order.cluster);
      for (const auto& digest : app->second.granted[order.cluster]) grants_.revoke(order.cluster, digest);
      app->second.granted.erase(order.cluster);
      if (auto saved = context_.store.Put(app->second.record); !saved) {
        log::Error("app not saved", {{"why", saved.error().message}});
      }
    }
  } else if (!order.unset) {
    machine.Refused(order.cluster, order.revision, outcome.message);
  }
  TellWatchers(order.app);
  Soon(order.app);
}

void AppDesk::Wake(Live& live, const std::string& name, UnixMillis at) {
  context_.timers.Cancel(live.wake);
  const auto left = milliseconds(std::max<std::int64_t>(at - context_.clock.WallNow(), 0));
  live.wake = context_.timers.At(context_.clock.SteadyNow() + left, [this, name] {
    const auto it = apps_.find(name);
    if (it == apps_.end()) return;
    it->second.wake = 0;
    Drive(name);
  });
}

}  // namespace ote::agent
