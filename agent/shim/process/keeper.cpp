#include "agent/shim/process/keeper.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/shim/process/launch.h"
#include "agent/shim/process/link.h"
#include "core/base/files.h"
#include "core/base/log.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;
using api::AppPhase;

Result<void> CheckKey(const std::string& key) {
  const auto bad = key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");
  if (!StaysInside(key) || bad != std::string::npos || key.size() > 200 || std::count(key.begin(), key.end(), '/') > 1)
    return Fail(ErrorId::kShimFailed, fmt::format("app {}: not a name", key));
  return {};
}

}  // namespace

fs::path Keeper::FolderOf(const std::string& key) const {
  auto name = key;
  std::replace(name.begin(), name.end(), '/', '+');
  return settings_.folder / name;
}

Keeper::App& Keeper::AppOf(const std::string& key) {
  auto& app = apps_[key];
  app.key = key;
  return app;
}

void Keeper::Answer(Shim::Done done, Result<void> result) {
  if (!done) return;
  settings_.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Keeper::Happened(const Replica& replica, const std::string& kind, std::string message, bool warning) {
  if (!hooks_.happened) return;
  const api::ClusterEvent event{clock_.WallNow(), kind, replica.spec.name, std::move(message), warning, 1};
  settings_.post([hook = hooks_.happened, event] { hook(event); });
}

void Keeper::Begin(const std::vector<std::pair<api::Assignment, ArtifactPaths>>& wanted) {
  std::error_code error;
  for (const auto& app : fs::directory_iterator(settings_.folder, error)) {
    std::error_code ignored;
    for (const auto& replica : fs::directory_iterator(app.path(), ignored)) {
      if (replica.is_directory(ignored)) Take(replica.path());
    }
  }
  for (const auto& [assignment, paths] : wanted) {
    auto& app = AppOf(assignment.Key());
    app.wanted = assignment;
    app.build = BuildOf(assignment.workload);
    app.paths = paths;
    if (auto build = ReadTextFile(FolderOf(app.key) / "given-up", 1000)) app.given_up = std::move(*build);
  }
  std::vector<std::string> keys;
  for (const auto& [key, app] : apps_) keys.push_back(key);
  for (const auto& key : keys) Reconcile(key);
}

// A replica from before. A folder without a specification is none: it was being made, or removed.
void Keeper::Take(const fs::path& folder) {
  auto spec = ReadSpec(folder);
  if (!spec || FolderOf(spec->key) != folder.parent_path()) {
    std::error_code ignored;
    const bool none = !fs::exists(folder / "spec.json", ignored) && !ignored;
    if (none && !SupervisorLives(folder)) fs::remove_all(folder, ignored);
    if (!none) log::Warn("a replica of before cannot be taken up", {{"folder", folder.string()}});
    return;
  }
  auto& app = AppOf(spec->key);
  auto replica = std::make_unique<Replica>();
  replica->folder = folder;
  replica->spec = std::move(*spec);
  if (auto state = ReadState(folder)) replica->state = std::move(*state);
  replica->born = Now();
  auto& kept = *(app.replicas[folder.filename().string()] = std::move(replica));
  if (Reach(app, kept)) return;
  kept.parked = kept.state.phase == AppPhase::kRemoved;
  if (!kept.parked) kept.retry_at = Now();
}

void Keeper::Apply(const api::Assignment& assignment, ArtifactPaths paths, Shim::Done done) {
  const auto key = assignment.Key();
  auto checked = CheckKey(key);
  if (checked) checked = CheckWorkload(assignment.workload);
  if (checked && assignment.workload.isolation == api::Isolation::kRequire) {
    if (const auto walls = FindWalls(); walls.program.empty()) checked = Fail(ErrorId::kIsolationAbsent, walls.why_not);
  }
  if (!checked) return Answer(std::move(done), std::move(checked));
  auto& app = AppOf(key);
  const auto build = BuildOf(assignment.workload);
  if (build != app.build) GiveUp(app, {});
  app.wanted = assignment;
  app.build = build;
  app.paths = std::move(paths);
  // A removal that was under way is over: what it stopped comes again.
  for (auto& gone : std::exchange(app.when_gone, {})) Answer(std::move(gone), {});
  Reconcile(key);
  Answer(std::move(done), {});
}

void Keeper::Remove(const std::string& key, Shim::Done done) {
  const auto found = apps_.find(key);
  if (found == apps_.end()) return Answer(std::move(done), {});
  found->second.wanted.reset();
  found->second.when_gone.push_back(std::move(done));
  Reconcile(key);
}

void Keeper::Restart(const std::string& key, ArtifactPaths paths, Shim::Done done) {
  const auto found = apps_.find(key);
  if (found == apps_.end() || !found->second.wanted)
    return Answer(std::move(done), Fail(ErrorId::kAppUnknown, fmt::format("app {}: not on this cluster", key)));
  auto& app = found->second;
  app.paths = std::move(paths);
  GiveUp(app, {});
  // What was altered is made as it was deployed.
  std::vector<std::pair<fs::path, api::Workload>> all;
  for (auto& [name, replica] : app.replicas) {
    if (replica->stopping || replica->parked || replica->delivering) continue;
    all.emplace_back(replica->folder, replica->spec.workload);
  }
  worker_.Run<Result<void>>(
      [all, given = app.paths](const std::stop_token& stop) {
        Result<void> made{};
        for (const auto& [folder, workload] : all) {
          if (auto one = Deliver(folder, workload, given, stop); !one) made = std::move(one);
        }
        return made;
      },
      [this, key, all, done = std::move(done)](Result<void> made) {
        const auto it = apps_.find(key);
        if (it != apps_.end()) {
          for (const auto& [folder, workload] : all) {
            const auto replica = it->second.replicas.find(folder.filename().string());
            if (replica == it->second.replicas.end() || replica->second->stopping) continue;
            replica->second->restart = true;
          }
          unsettled_.push_back(key);
        }
        Answer(done, std::move(made));
      });
}

void Keeper::Order(Replica& replica, process::Order order) {
  const auto line = OrderLine(order);
  // An order fits into the buffer of a connection on which there are no others.
  (void)!::send(replica.link.get(), line.data(), line.size(), MSG_NOSIGNAL);
}

void Keeper::Add(App& app, std::int64_t index) {
  const auto& assignment = *app.wanted;
  const auto name = fmt::format("{}-{}", app.build.substr(0, 8), index);
  auto& slot = app.replicas[name];
  if (!slot) slot = std::make_unique<Replica>();
  auto& replica = *slot;
  replica.folder = FolderOf(app.key) / name;
  replica.parked = false;
  replica.state = {};
  replica.spec = {app.key,
                  assignment.app,
                  assignment.app + "-" + name,
                  app.build,
                  index,
                  assignment.revision,
                  settings_.cluster,
                  settings_.hide.string(),
                  assignment.workload,
                  settings_.patience};
  replica.born = Now();
  replica.tries = 0;
  app.look_at = Now() + PatienceFor(assignment.workload);
  Raise(app, replica);
}

void Keeper::Retry(Replica& replica) {
  const auto wait = std::min<std::int64_t>(200LL << std::min(replica.tries++, 10), 30'000);
  replica.retry_at = Now() + wait;
}

// Sees to it that a supervisor stands over it.
void Keeper::Raise(App& app, Replica& replica) {
  replica.retry_at = 0;
  if (replica.link || replica.ready || replica.delivering || Reach(app, replica)) return;
  if (fs::exists(replica.folder / "spec.json")) {
    FollowNew(app, replica);
    return Launch(replica, {});
  }
  replica.delivering = true;
  worker_.Run<Result<void>>([folder = replica.folder, workload = replica.spec.workload, paths = app.paths](
                                const std::stop_token& stop) { return Deliver(folder, workload, paths, stop); },
                            [this, key = app.key, name = replica.folder.filename().string()](Result<void> made) {
                              Delivered(key, name, std::move(made));
                            });
}

void Keeper::Delivered(const std::string& key, const std::string& name, Result<void> result) {
  const auto app = apps_.find(key);
  if (app == apps_.end()) return;
  const auto found = app->second.replicas.find(name);
  if (found == app->second.replicas.end()) return;
  auto& replica = *found->second;
  replica.delivering = false;
  unsettled_.push_back(key);
  if (replica.stopping) return Lost(app->second, replica);
  if (result) result = WriteSpec(replica.folder, replica.spec);
  FollowNew(app->second, replica);
  Launch(replica, std::move(result));
}

void Keeper::Launch(Replica& replica, Result<void> made) {
  auto ready =
      made ? StartSupervisor(settings_.self, replica.folder) : Result<Descriptor>(Fail(std::move(made).error()));
  if (ready) {
    replica.ready = std::move(*ready);
    replica.trouble.clear();
    return;
  }
  replica.trouble = ready.error().message;
  replica.code = ready.error().Code();
  Retry(replica);
}

bool Keeper::Reach(App& app, Replica& replica) {
  replica.link = ReachSupervisor(replica.folder);
  if (!replica.link) return false;
  replica.in = LineBuffer(4 << 20);
  replica.parked = false;
  replica.trouble.clear();
  if (replica.stopping) Order(replica, process::Order::kStop);
  unsettled_.push_back(app.key);
  return true;
}

void Keeper::Stop(App& app, Replica& replica, bool park) {
  if (replica.stopping) {
    replica.parked = replica.parked && park;
    return;
  }
  replica.stopping = true;
  replica.parked = park;
  if (replica.link) return Order(replica, process::Order::kStop);
  if (!replica.ready && !replica.delivering) Lost(app, replica);
}

// The supervisor is not there, or not any more.
void Keeper::Lost(App& app, Replica& replica) {
  replica.link.Close();
  replica.retry_at = 0;
  unsettled_.push_back(app.key);
  if (auto state = ReadState(replica.folder)) replica.state = std::move(*state);
  if (replica.stopping || replica.state.phase == AppPhase::kRemoved) {
    if (replica.state.phase != AppPhase::kRemoved) {
      // It was killed, or comes up just now.
      if (SupervisorLives(replica.folder)) return Retry(replica);
      EndLeftovers(replica.state, replica.spec, replica.folder);
      replica.state.phase = AppPhase::kRemoved;
      replica.state.pid = 0;
      (void)WriteFileAtomic(replica.folder / "state.json", AsBytes(DumpJson(ToJson(replica.state))), 0600);
    }
    replica.stopping = false;
    if (replica.parked) return;
    std::error_code ignored;
    fs::remove_all(replica.folder, ignored);
    for (auto it = app.replicas.begin(); it != app.replicas.end(); ++it) {
      if (it->second.get() == &replica) {
        app.replicas.erase(it);
        return;
      }
    }
    return;
  }
  replica.state.phase = AppPhase::kDegraded;
  replica.state.message = "its supervisor ended; it is started again";
  replica.state.since = clock_.WallNow();
  Happened(replica, "supervisor-lost", "the supervisor of the replica ended; it is started again", true);
  Retry(replica);
}

void Keeper::Read(App& app, Replica& replica) {
  std::array<char, 16384> buffer;  // NOLINT: filled by recv
  for (;;) {
    const ssize_t got = ::recv(replica.link.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return Lost(app, replica);
    const bool fine = replica.in.Take({buffer.data(), static_cast<std::size_t>(got)}, [&](std::string_view text) {
      auto line = ParseSupervisorLine(text);
      if (!line) return;
      if (line->state) {
        replica.state = std::move(*line->state);
        replica.tries = 0;
        unsettled_.push_back(app.key);
      }
      if (line->happened && hooks_.happened)
        settings_.post([hook = hooks_.happened, event = *line->happened] { hook(event); });
    });
    if (!fine) return Lost(app, replica);
  }
}

}  // namespace ote::agent::process
