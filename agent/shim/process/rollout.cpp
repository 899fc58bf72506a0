// Which replicas an app has, from one moment to the next. What runs and what was said is looked at anew each time;
// there are no steps to be lost.
//
// A rolling update starts a new replica, waits until it is healthy, and stops an old one. Where the app has ports, two
// cannot listen at once: the old one is stopped first and kept aside, and comes back when the new one is no good.
#include <fmt/format.h>

#include <algorithm>

#include "agent/shim/process/keeper.h"
#include "core/base/files.h"

namespace ote::agent::process {
namespace {

using api::AppPhase;
constexpr std::int64_t kRestartsToGiveUp = 3;
constexpr std::int64_t kLeastPatience = 60'000;

}  // namespace

std::int64_t Keeper::PatienceFor(const api::Workload& workload) const {
  const auto& health = workload.health;
  return std::max(kLeastPatience, 2 * (health.start_ms + health.failures * (health.interval_ms + health.timeout_ms)));
}

// It did not become healthy, and it does not look as if it would.
bool Keeper::Hopeless(const Replica& replica) const {
  if (replica.state.phase == AppPhase::kHealthy) return false;
  if (replica.state.phase == AppPhase::kFailed || !replica.trouble.empty()) return true;
  if (replica.state.was_healthy) return false;
  return replica.state.restarts >= kRestartsToGiveUp || Now() >= replica.born + PatienceFor(replica.spec.workload);
}

void Keeper::Reconcile(const std::string& key) {
  const auto found = apps_.find(key);
  if (found == apps_.end()) return;
  auto& app = found->second;
  if (app.wanted) {
    Roll(app);
    return Tell(app);
  }
  // By name: one that is stopped may be gone at once.
  std::vector<std::string> names;
  for (const auto& [name, replica] : app.replicas) names.push_back(name);
  Clear(app);
  for (const auto& name : names) {
    if (const auto it = app.replicas.find(name); it != app.replicas.end()) Stop(app, *it->second, false);
  }
  if (!app.replicas.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(FolderOf(key), ignored);
  if (app.told && hooks_.app) {
    auto status = *app.told;
    status.phase = AppPhase::kRemoved;
    status.healthy = status.wanted = 0;
    status.replicas.clear();
    status.message.clear();
    status.code.clear();
    status.since = clock_.WallNow();
    settings_.post([hook = hooks_.app, status] { hook(status); });
  }
  std::vector<std::uint64_t> readers;
  for (const auto& [id, follower] : followers_) {
    if (follower.query.app == key) readers.push_back(id);
  }
  for (const auto id : readers) EndLogs(id);
  for (auto& done : app.when_gone) Answer(std::move(done), {});
  apps_.erase(found);
}

// Forgets the replicas that were kept aside.
void Keeper::Clear(App& app) {
  std::erase_if(app.replicas, [](const auto& item) {
    const auto& replica = *item.second;
    if (!replica.parked || replica.stopping || replica.link || replica.ready || replica.delivering) return false;
    std::error_code ignored;
    std::filesystem::remove_all(replica.folder, ignored);
    return true;
  });
}

// Remembered, so that an agent that begins does not stop what is healthy for what is known to be no good.
void Keeper::GiveUp(App& app, const std::string& build) {
  if (app.given_up == build) return;
  app.given_up = build;
  const auto file = FolderOf(app.key) / "given-up";
  std::error_code ignored;
  if (build.empty()) std::filesystem::remove(file, ignored);
  if (!build.empty()) (void)WriteFileAtomic(file, AsBytes(build), 0600);
}

// Whether the new build was given up, and the one before it is brought back.
bool Keeper::RollBack(App& app, const std::vector<Replica*>& fresh, bool leaving) {
  const bool kept = std::any_of(app.replicas.begin(), app.replicas.end(), [&app](const auto& item) {
    return item.second->parked && item.second->spec.build != app.build;
  });
  if (app.given_up != app.build) {
    const bool hopeless = std::any_of(fresh.begin(), fresh.end(), [this](const auto* r) { return Hopeless(*r); });
    if (!kept || !hopeless) return false;
    GiveUp(app, app.build);
  }
  const bool other = std::any_of(app.replicas.begin(), app.replicas.end(),
                                 [&app](const auto& item) { return item.second->spec.build != app.build; });
  if (!other) {
    // There is nothing to go back to any more.
    GiveUp(app, {});
    return false;
  }
  if (app.told) Tell(app);  // why, as long as it is there to tell
  for (auto* replica : fresh) Stop(app, *replica, false);
  if (!fresh.empty() || leaving) return true;
  for (auto& [name, replica] : app.replicas) {
    if (!replica->parked || replica->spec.build == app.build) continue;
    replica->parked = false;
    Raise(app, *replica);
  }
  return true;
}

// Replicas that are to be restarted: those that are not well at once, the others one after the other.
void Keeper::RestartNext(App& app) {
  std::int64_t unwell = 0;
  Replica* next = nullptr;
  for (auto& [name, item] : app.replicas) {
    auto& replica = *item;
    if (replica.stopping || replica.parked) continue;
    const bool well = replica.state.phase == AppPhase::kHealthy && !replica.state.finished;
    unwell += well ? 0 : 1;
    if (!replica.restart || !replica.link) continue;
    if (well && app.wanted->workload.update == api::UpdateKind::kRolling) {
      next = &replica;
      continue;
    }
    replica.restart = false;
    Order(replica, process::Order::kRestart);
  }
  if (next == nullptr || unwell > 0) return;
  next->restart = false;
  next->state.phase = AppPhase::kProgressing;
  next->state.message = "restarting";
  next->state.since = clock_.WallNow();
  Order(*next, process::Order::kRestart);
}

void Keeper::Roll(App& app) {
  RestartNext(app);
  const auto& workload = app.wanted->workload;
  const auto wanted = static_cast<std::size_t>(workload.replicas);
  std::vector<Replica*> fresh, old;
  bool leaving = false, kept = false;
  std::vector<bool> taken(wanted);
  for (auto& [name, replica] : app.replicas) {
    const bool same = replica->spec.build == app.build && replica->spec.index < workload.replicas;
    if (same) taken[static_cast<std::size_t>(replica->spec.index)] = !replica->parked || replica->stopping;
    leaving = leaving || replica->stopping;
    kept = kept || (replica->parked && !same);
    if (!replica->stopping && !replica->parked) (same ? fresh : old).push_back(replica.get());
  }
  const auto start = [&](std::size_t most) {
    for (std::size_t i = 0; i < wanted && most > 0; ++i) {
      if (taken[i]) continue;
      Add(app, static_cast<std::int64_t>(i));
      --most;
    }
  };
  const auto well = [](const Replica* replica) { return replica->state.phase == AppPhase::kHealthy; };
  const auto healthy = static_cast<std::size_t>(std::count_if(fresh.begin(), fresh.end(), well));
  const bool settled = healthy == fresh.size();
  // Those that are of least use go first.
  std::stable_sort(old.begin(), old.end(), [&well](const auto* a, const auto* b) { return well(a) < well(b); });

  if (workload.update == api::UpdateKind::kRecreate) {
    for (auto* replica : old) Stop(app, *replica, false);
    if (!old.empty() || leaving) return;
    Clear(app);
    return start(wanted);
  }
  const bool one_place = !workload.ports.empty();
  if (one_place && RollBack(app, fresh, leaving)) return;
  if (old.empty() && !kept) return start(wanted);
  if (!one_place) {
    for (std::size_t i = 0; i < old.size() && old.size() - i + healthy > wanted; ++i) Stop(app, *old[i], false);
    if (settled && fresh.size() < wanted) start(1);
    if (settled && fresh.size() == wanted) Clear(app);
    return;
  }
  if (!settled || leaving) return;
  if (!old.empty() && old.size() + fresh.size() >= wanted) return Stop(app, *old.front(), true);
  if (fresh.size() < wanted) return start(1);
  Clear(app);
}

void Keeper::Tell(App& app) {
  const auto& assignment = *app.wanted;
  api::AppStatus status;
  status.app = assignment.app;
  status.from = assignment.from;
  status.revision = assignment.revision;
  status.wanted = assignment.workload.replicas;
  bool all_were = true, failed = false, replacing = false;
  std::int64_t fresh = 0, old = 0;
  for (const auto& [name, replica] : app.replicas) {
    if (replica->parked && !replica->stopping) continue;
    const bool same = replica->spec.build == app.build && replica->spec.index < assignment.workload.replicas;
    const auto& state = replica->state;
    auto phase = state.phase;
    auto message = replica->trouble.empty() ? state.message : replica->trouble;
    if (replica->stopping) message = "stopping";
    if (!replica->trouble.empty()) phase = AppPhase::kFailed;
    if (!same && !replica->stopping)
      message = fmt::format("of revision {}{}{}", replica->spec.revision, message.empty() ? "" : ": ", message);
    status.replicas.push_back({replica->spec.name, phase, state.restarts, machine_.Name(), message, state.since});
    if (!same || replica->stopping) {
      replacing = true;
      old += phase == AppPhase::kHealthy && !replica->stopping ? 1 : 0;
      continue;
    }
    ++fresh;
    if (phase == AppPhase::kHealthy) ++status.healthy;
    all_were = all_were && state.was_healthy;
    if (Hopeless(*replica) && !failed) {
      failed = true;
      status.message = message;
      status.code = replica->trouble.empty() ? state.code : replica->code;
      if (status.code.empty()) status.code = Error{ErrorId::kProcessFailed, {}, {}}.Code();
    }
    if (status.message.empty() && phase == AppPhase::kDegraded) status.message = message;
  }
  if (app.given_up == app.build && !app.build.empty()) {
    failed = true;
    if (status.message.empty() && app.told) {
      status.message = app.told->message;
      status.code = app.told->code;
    }
  } else if (failed && old > 0) {
    status.message += fmt::format("; {} of the revision before still {}", old, old == 1 ? "runs" : "run");
  }
  if (failed) {
    status.phase = AppPhase::kFailed;
  } else if (fresh == status.wanted && status.healthy == fresh && !replacing) {
    status.phase = AppPhase::kHealthy;
  } else {
    status.phase = fresh == status.wanted && all_were && !replacing ? AppPhase::kDegraded : AppPhase::kProgressing;
  }
  status.since = app.told && app.told->phase == status.phase ? app.told->since : clock_.WallNow();
  if (app.told == status) return;
  app.told = status;
  if (hooks_.app) settings_.post([hook = hooks_.app, status] { hook(status); });
}

}  // namespace ote::agent::process
