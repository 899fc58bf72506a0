#include "agent/apps/site_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::size_t kMostEarlier = 5;

void Trouble(std::string_view what, const Error& error) { log::Error(what, {{"why", error.message}}); }

}  // namespace

SiteDesk::SiteDesk(Context& context, Shim& shim, CommandBus& bus, StateBoard& board, Fetch fetch)
    : context_(context), shim_(shim), bus_(bus), board_(board), fetch_(std::move(fetch)) {}

SiteDesk::~SiteDesk() {
  for (const auto& [key, live] : apps_) {
    context_.timers.Cancel(live.deadline);
    context_.timers.Cancel(live.retry);
  }
}

Result<void> SiteDesk::Start() {
  OTE_TRY(auto records, context_.store.List<api::SiteApp>());
  std::vector<api::Assignment> running;
  for (auto& record : records) {
    const auto key = record.Key();
    if (record.applied && !record.gone && !record.stopped) running.push_back(*record.applied);
    apps_[key].record = std::move(record);
  }
  const std::weak_ptr<bool> alive = alive_;
  Shim::Hooks hooks;
  hooks.app = [this, alive](const api::AppStatus& status) {
    if (alive.lock()) Told(status);
  };
  hooks.cluster = [this, alive](const api::ShimStatus& status) {
    if (alive.lock()) board_.Set(state::kShim, "", ToJson(status));
  };
  hooks.happened = [this, alive](const api::ClusterEvent& event) {
    if (alive.lock()) Happened(event);
  };
  if (auto started = shim_.Start(std::move(hooks), running); !started) {
    Trouble("the shim does not start", started.error());
    api::ShimStatus status;
    status.shim = shim_.Name();
    status.healthy = false;
    status.message = started.error().message;
    board_.Set(state::kShim, "", ToJson(status));
  }
  std::vector<std::string> keys;
  for (const auto& [key, live] : apps_) keys.push_back(key);
  for (const auto& key : keys) {
    ArmDeadline(key);
    Reconcile(key);
    if (const auto it = apps_.find(key); it != apps_.end()) Publish(it->second);
  }
  const auto answered = [](Result<Json> (SiteDesk::*fn)(const api::Command&), SiteDesk* desk) {
    return [fn, desk](const api::Command& command, const CommandBus::Done& done) { done((desk->*fn)(command)); };
  };
  bus_.Handle("app.set", true, answered(&SiteDesk::Set, this));
  bus_.Handle("app.unset", true, answered(&SiteDesk::Unset, this));
  bus_.Handle("app.restart", true, [this](const api::Command& command, const CommandBus::Done& done) {
    const auto target = FromWire<api::AppTarget>(command.body);
    if (!target) return done(Fail(target.error()));
    Restart(KeyFor(command, target->name), [done](const Result<void>& result) {
      done(result ? Result<Json>(Json::object()) : Result<Json>(Fail(result.error())));
    });
  });
  bus_.Handle("app.diff", true,
              [this](const api::Command& command, const CommandBus::Done& done) { Diff(command, done); });
  return {};
}

void SiteDesk::Connected() {
  std::vector<std::string> keys;
  for (const auto& [key, live] : apps_) {
    if (live.retry != 0) keys.push_back(key);
  }
  for (const auto& key : keys) {
    context_.timers.Cancel(std::exchange(apps_.at(key).retry, 0));
    Reconcile(key);
  }
}

std::set<std::string> SiteDesk::Needed() const {
  std::set<std::string> needed;
  const auto add = [&needed](const api::Assignment& assignment) {
    for (const auto& file : assignment.workload.files) needed.insert(file.digest);
  };
  for (const auto& [key, live] : apps_) {
    const auto& record = live.record;
    if (!record.gone) add(record.wanted);
    for (const auto* one : {&record.overriding, &record.applied, &record.healthy}) {
      if (*one) add(**one);
    }
    for (const auto& earlier : record.earlier) add(earlier);
  }
  return needed;
}

std::string SiteDesk::KeyFor(const api::Command& command, const std::string& app) const {
  return command.issuer == context_.membership.name ? app : command.issuer + "/" + app;
}

Result<SiteDesk::Live*> SiteDesk::Find(const std::string& key) {
  const auto it = apps_.find(key);
  if (it == apps_.end() || it->second.record.gone) {
    return Fail(ErrorId::kAppUnknown, fmt::format("app {}: not on {}", key, context_.membership.name), "ote app list");
  }
  return &it->second;
}

Result<void> SiteDesk::Save(const Live& live) { return context_.store.Put(live.record); }

void SiteDesk::Note(Live& live, std::string what, std::int64_t revision, std::string by, std::string message) {
  auto& history = live.record.history;
  log::Info("app", {{"app", live.record.Key()}, {"what", what}, {"revision", revision}, {"by", by}});
  history.push_back({context_.clock.WallNow(), std::move(what), revision, std::move(by), std::move(message)});
  if (history.size() > api::SiteApp::kHistory) history.erase(history.begin());
}

Result<Json> SiteDesk::Set(const api::Command& command) {
  OTE_TRY(auto assignment, FromWire<api::Assignment>(command.body));
  // Whose app it is says the bus, which knows who issued it.
  assignment.from = command.issuer == context_.membership.name ? "" : command.issuer;
  if (assignment.by.empty()) assignment.by = command.by;
  if (api::DigestOf(assignment.workload) != assignment.digest) {
    return Fail(ErrorId::kMalformed, fmt::format("app {}: the workload is not the one of the digest", assignment.app));
  }
  const auto key = assignment.Key();
  const auto known = apps_.find(key);
  if (known != apps_.end() && !known->second.record.gone &&
      known->second.record.wanted.revision == assignment.revision &&
      known->second.record.wanted.digest == assignment.digest) {
    return Json{{"revision", assignment.revision}, {"overriddenBy", known->second.record.overridden_by}};
  }
  if (known != apps_.end() && known->second.record.wanted.revision > assignment.revision) {
    return Fail(ErrorId::kConflict, fmt::format("app {}: revision {} is here, which is newer than {}", key,
                                                known->second.record.wanted.revision, assignment.revision));
  }
  Live live = known == apps_.end() ? Live{} : known->second;
  auto& record = live.record;
  record.wanted = assignment;
  record.gone = false;
  if (!record.overridden_by.empty()) {
    Note(live, "override ended", assignment.revision, assignment.by,
         fmt::format("{} had set it aside; a newer revision came from {}", record.overridden_by, assignment.from));
  }
  record.overriding.reset();
  record.stopped = false;
  record.overridden_by.clear();
  record.overridden_at = 0;
  record.rolled_back_from = 0;
  Note(live, "set", assignment.revision, assignment.by);
  live.note.clear();
  OTE_CHECK(Save(live));
  apps_.insert_or_assign(key, std::move(live));
  Reconcile(key);
  if (const auto now = apps_.find(key); now != apps_.end()) Publish(now->second);
  return Json{{"revision", assignment.revision}, {"overriddenBy", ""}};
}

Result<Json> SiteDesk::Unset(const api::Command& command) {
  OTE_TRY(const auto target, FromWire<api::AppTarget>(command.body));
  const auto it = apps_.find(KeyFor(command, target.name));
  if (it == apps_.end()) return Json::object();
  auto& live = it->second;
  if (!live.record.overridden_by.empty()) {
    Happened({context_.clock.WallNow(), "override-ended", it->first,
              fmt::format("{} had set it aside; {} took the app back", live.record.overridden_by, command.by), false,
              1});
  }
  live.record.gone = true;
  Note(live, "unset", live.record.wanted.revision, command.by);
  OTE_CHECK(Save(live));
  Reconcile(it->first);
  return Json::object();
}

void SiteDesk::Diff(const api::Command& command, const CommandBus::Done& done) {
  auto assignment = FromWire<api::Assignment>(command.body);
  if (!assignment) return done(Fail(assignment.error()));
  assignment->from = command.issuer == context_.membership.name ? "" : command.issuer;
  shim_.Diff(*assignment, [done](const Result<std::string>& text) {
    done(text ? Result<Json>(Json{{"text", *text}}) : Result<Json>(Fail(text.error())));
  });
}

void SiteDesk::Restart(const std::string& key, Done done) {
  const auto live = Find(key);
  if (!live) return done(Fail(live.error()));
  if (!(*live)->record.applied) return done(Fail(ErrorId::kConflict, fmt::format("app {}: it does not run now", key)));
  shim_.Restart(key, std::move(done));
}

const api::Assignment* SiteDesk::Desired(const api::SiteApp& record) const {
  if (record.gone || record.stopped) return nullptr;
  if (record.overriding) return &*record.overriding;
  if (record.rolled_back_from != 0 && record.rolled_back_from == record.wanted.revision && record.healthy) {
    return &*record.healthy;
  }
  return &record.wanted;
}

void SiteDesk::Reconcile(const std::string& key) {
  auto& live = apps_.at(key);
  const auto* desired = Desired(live.record);
  if (desired == nullptr) return TakeAway(key);
  if (live.removing || live.fetching) return;  // comes again when that is over
  if (live.record.applied && *live.record.applied == *desired) return;
  const api::Assignment wanted = *desired;
  if (FetchMissing(key, wanted)) return;
  Give(key, wanted);
}

bool SiteDesk::FetchMissing(const std::string& key, const api::Assignment& wanted) {
  for (const auto& file : wanted.workload.files) {
    if (context_.artifacts.Has(file.digest)) continue;
    auto& live = apps_.at(key);
    live.fetching = true;
    fetch_(wanted.from, file, [this, alive = std::weak_ptr<bool>(alive_), key](const Result<void>& result) {
      if (!alive.lock()) return;
      const auto it = apps_.find(key);
      if (it == apps_.end()) return;
      auto& here = it->second;
      here.fetching = false;
      here.note.clear();
      if (!result) {
        here.note = "its files are not here yet: " + result.error().message;
        Publish(here);
        context_.timers.Cancel(here.retry);
        here.retry = context_.timers.At(context_.clock.SteadyNow() + kRetry, [this, key] {
          if (const auto again = apps_.find(key); again != apps_.end()) {
            again->second.retry = 0;
            Reconcile(key);
          }
        });
        return;
      }
      Reconcile(key);
    });
    return true;
  }
  return false;
}

void SiteDesk::Give(const std::string& key, const api::Assignment& wanted) {
  auto& live = apps_.at(key);
  auto& record = live.record;
  const bool same_work = record.applied && record.applied->digest == wanted.digest;
  if (same_work) {
    live.same.insert(record.applied->revision);
  } else {
    live.same.clear();
    live.told.reset();
  }
  record.applied = wanted;
  const bool trial =
      wanted.rollback && wanted.health_ms > 0 && record.healthy && record.healthy->digest != wanted.digest;
  record.deadline = trial ? context_.clock.WallNow() + wanted.health_ms : 0;
  if (auto saved = Save(live); !saved) Trouble("app not saved", saved.error());
  ArmDeadline(key);
  const auto turn = ++live.turn;
  shim_.Apply(wanted, [this, alive = std::weak_ptr<bool>(alive_), key, turn](const Result<void>& result) {
    if (!alive.lock()) return;
    const auto it = apps_.find(key);
    if (it == apps_.end() || it->second.turn != turn || !it->second.record.applied) return;
    if (result) return;
    const auto& applied = *it->second.record.applied;
    api::AppStatus status;
    status.app = applied.app;
    status.from = applied.from;
    status.revision = applied.revision;
    status.phase = api::AppPhase::kFailed;
    status.wanted = applied.workload.replicas;
    status.message = result.error().message;
    status.code = result.error().Code();
    status.since = context_.clock.WallNow();
    Told(status);
  });
  if (same_work && live.told) {
    auto again = *live.told;
    Told(again);
  } else {
    Publish(live);
  }
}

void SiteDesk::TakeAway(const std::string& key) {
  auto& live = apps_.at(key);
  context_.timers.Cancel(std::exchange(live.deadline, 0));
  live.record.deadline = 0;
  if (live.removing) return;
  live.removing = true;
  ++live.turn;
  shim_.Remove(key, [this, alive = std::weak_ptr<bool>(alive_), key](const Result<void>& result) {
    if (!alive.lock()) return;
    const auto it = apps_.find(key);
    if (it == apps_.end()) return;
    auto& here = it->second;
    here.removing = false;
    if (!result) {
      here.note = "not stopped yet: " + result.error().message;
      Publish(here);
      here.retry = context_.timers.At(context_.clock.SteadyNow() + kRetry, [this, key] {
        if (const auto again = apps_.find(key); again != apps_.end()) {
          again->second.retry = 0;
          Reconcile(key);
        }
      });
      return;
    }
    here.record.applied.reset();
    here.told.reset();
    here.same.clear();
    if (here.record.gone) {
      if (auto removed = context_.store.Remove<api::SiteApp>(key); !removed) {
        Trouble("app not forgotten", removed.error());
      }
      board_.Remove(state::kApp, key);
      context_.timers.Cancel(here.retry);
      apps_.erase(it);
      return;
    }
    if (auto saved = Save(here); !saved) Trouble("app not saved", saved.error());
    Publish(here);
    if (Desired(here.record) != nullptr) Reconcile(key);
  });
}

void SiteDesk::Told(const api::AppStatus& status) {
  const auto it = apps_.find(status.Key());
  if (it == apps_.end() || !it->second.record.applied) return;
  auto& live = it->second;
  auto& record = live.record;
  auto told = status;
  if (live.same.contains(told.revision)) told.revision = record.applied->revision;
  if (told.revision != record.applied->revision) return;  // of what ran before
  live.told = told;
  const bool healthy = told.phase == api::AppPhase::kHealthy;
  if (healthy && (!record.healthy || *record.healthy != *record.applied || record.deadline != 0)) {
    if (record.healthy && record.healthy->digest != record.applied->digest) {
      record.earlier.push_back(*record.healthy);
      if (record.earlier.size() > kMostEarlier) record.earlier.erase(record.earlier.begin());
    }
    record.healthy = record.applied;
    record.deadline = 0;
    context_.timers.Cancel(std::exchange(live.deadline, 0));
    if (auto saved = Save(live); !saved) Trouble("app not saved", saved.error());
  }
  if (told.phase == api::AppPhase::kFailed && record.deadline != 0) return Failed(it->first, told.message);
  Publish(live);
}

void SiteDesk::ArmDeadline(const std::string& key) {
  auto& live = apps_.at(key);
  context_.timers.Cancel(std::exchange(live.deadline, 0));
  if (live.record.deadline == 0) return;
  const auto left =
      std::chrono::milliseconds(std::max<std::int64_t>(live.record.deadline - context_.clock.WallNow(), 0));
  live.deadline = context_.timers.At(context_.clock.SteadyNow() + left, [this, key] {
    const auto it = apps_.find(key);
    if (it == apps_.end()) return;
    it->second.deadline = 0;
    if (it->second.record.deadline == 0 || !it->second.record.applied) return;
    // The calendar may have been set back meanwhile.
    Failed(key, fmt::format("not healthy within {} s{}{}", it->second.record.applied->health_ms / 1000,
                            it->second.told && !it->second.told->message.empty() ? ": " : "",
                            it->second.told ? it->second.told->message : ""));
  });
}

void SiteDesk::Failed(const std::string& key, const std::string& why) {
  auto& live = apps_.at(key);
  auto& record = live.record;
  record.deadline = 0;
  context_.timers.Cancel(std::exchange(live.deadline, 0));
  if (!record.applied || !record.healthy || record.healthy->digest == record.applied->digest) return Publish(live);
  const auto from = record.applied->revision;
  const auto text = fmt::format("revision {}: {}; went back to {}", from, why, record.healthy->revision);
  if (record.overriding) {
    record.overriding = record.healthy;
  } else {
    record.rolled_back_from = from;
  }
  live.note = text;
  Note(live, "rolled back", record.healthy->revision, "the cluster itself", text);
  if (auto saved = Save(live); !saved) Trouble("app not saved", saved.error());
  Happened({context_.clock.WallNow(), "rolled-back", key, text, true, 1});
  Reconcile(key);
  Publish(apps_.at(key));
}

api::AppStatus SiteDesk::StatusOf(const Live& live) const {
  const auto& record = live.record;
  api::AppStatus status;
  if (live.told) status = *live.told;
  status.app = record.wanted.app;
  status.from = record.wanted.from;
  if (!live.told) {
    status.phase = record.stopped ? api::AppPhase::kRemoved : api::AppPhase::kPending;
    if (record.applied) status.phase = api::AppPhase::kProgressing;
    status.since = context_.clock.WallNow();
  }
  if (record.applied) {
    status.revision = record.applied->revision;
    status.digest = record.applied->digest;
    if (record.applied->workload.manifests.empty()) status.wanted = record.applied->workload.replicas;
  }
  status.wanted_revision = record.wanted.revision;
  status.rolled_back_from = record.rolled_back_from;
  status.overridden_by = record.overridden_by;
  status.overridden_at = record.overridden_at;
  if (!live.note.empty()) status.message = live.note + (status.message.empty() ? "" : "; " + status.message);
  return status;
}

void SiteDesk::Publish(const Live& live) {
  auto status = StatusOf(live);
  // When it began, not when it was told: the same again is no change.
  if (!live.told) {
    const auto before = board_.Get(context_.membership.name, state::kApp, live.record.Key());
    if (before) {
      if (const auto old = FromWire<api::AppStatus>(*before); old && old->phase == status.phase)
        status.since = old->since;
    }
  }
  board_.Set(state::kApp, live.record.Key(), ToJson(status));
}

void SiteDesk::Happened(const api::ClusterEvent& event) {
  const auto number = context_.store.NextNumber("cluster-event");
  if (!number) return Trouble("event not kept", number.error());
  board_.Set(state::kEvent, fmt::format("{:012}", *number), ToJson(event));
  if (*number > kEvents) board_.Remove(state::kEvent, fmt::format("{:012}", *number - kEvents));
}

}  // namespace ote::agent
