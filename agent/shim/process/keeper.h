// The process shim's own thread: it keeps the supervisors of all replicas, and decides which replicas there are to be.
// All slow work of the shim is done here: hashing and copying files, starting supervisors, reading logs.
//
//   <folder>/<app>/<build>-<index>/   a replica, agent/shim/process/spec.h; <from>+<app> for an app of another cluster
//   <folder>/<app>/given-up           the build that is not tried again, since it did not become healthy
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/shim/process/files.h"
#include "agent/shim/process/logs.h"
#include "agent/shim/process/machine.h"
#include "agent/shim/process/spec.h"
#include "agent/shim/shim.h"
#include "agent/worker.h"
#include "core/base/clock.h"
#include "core/base/descriptor.h"

namespace ote::agent::process {

class Keeper {
 public:
  struct Settings {
    std::filesystem::path folder;
    std::filesystem::path self;
    std::filesystem::path hide;
    std::string cluster;
    Patience patience;
    std::function<void(std::function<void()>)> post;  // into the agent's thread; drops what comes too late
  };
  // `hooks` and all that is given to the functions below are called by `post`.
  Keeper(Settings settings, Shim::Hooks hooks);
  ~Keeper();

  // Runs `fn` in the keeper's thread. Any thread.
  void Do(std::function<void()> fn);

  // In the keeper's thread:
  void Begin(const std::vector<std::pair<api::Assignment, ArtifactPaths>>& wanted);
  void Apply(const api::Assignment& assignment, ArtifactPaths paths, Shim::Done done);
  void Remove(const std::string& key, Shim::Done done);
  void Restart(const std::string& key, ArtifactPaths paths, Shim::Done done);
  void Logs(std::uint64_t id, const LogQuery& query, std::function<bool(const LogLine&)> line, Shim::Done done);
  void EndLogs(std::uint64_t id);

 private:
  struct Replica {
    std::filesystem::path folder;
    ReplicaSpec spec;
    ReplicaState state;
    Descriptor link;   // to the supervisor
    Descriptor ready;  // at its end when a supervisor that was started is there
    LineBuffer in{4 << 20};
    bool stopping = false;
    bool parked = false;      // stopped, and kept in case its successor is no good
    bool delivering = false;  // its files are being copied
    bool restart = false;     // to be ordered when its turn comes
    std::string trouble;      // of the shim with it
    std::string code;
    std::int64_t retry_at = 0;
    std::int64_t born = 0;
    int tries = 0;
  };
  struct App {
    std::optional<api::Assignment> wanted;  // none: it is to go
    std::string key;
    std::string build;
    std::string given_up;  // a build that did not become healthy where there is place for one only
    ArtifactPaths paths;
    std::map<std::string, std::unique_ptr<Replica>> replicas;  // by the name of the folder
    std::vector<Shim::Done> when_gone;
    std::optional<api::AppStatus> told;
    std::int64_t look_at = 0;  // when it is to have become healthy
  };
  struct Follower {
    LogQuery query;
    std::function<bool(const LogLine&)> line;
    Shim::Done done;
    std::vector<LogReader> readers;
    std::map<std::string, int> watches;  // by folder
    bool busy = false;                   // the agent has lines that it is not through with
    bool ended = false;
  };

  // keeper_loop.cpp
  void Loop();
  void Turn();
  int Patience() const;
  void LookAround();
  // keeper.cpp: replicas
  App& AppOf(const std::string& key);
  std::filesystem::path FolderOf(const std::string& key) const;
  void Take(const std::filesystem::path& folder);
  void Add(App& app, std::int64_t index);
  void Raise(App& app, Replica& replica);
  void Delivered(const std::string& key, const std::string& name, Result<void> result);
  void Launch(Replica& replica, Result<void> made);
  bool Reach(App& app, Replica& replica);
  void Stop(App& app, Replica& replica, bool park);
  void Read(App& app, Replica& replica);
  void Lost(App& app, Replica& replica);
  void Order(Replica& replica, process::Order order);
  void Retry(Replica& replica);
  void Happened(const Replica& replica, const std::string& kind, std::string message, bool warning);
  void Answer(Shim::Done done, Result<void> result);
  // rollout.cpp
  void Reconcile(const std::string& key);
  void Roll(App& app);
  void RestartNext(App& app);
  bool RollBack(App& app, const std::vector<Replica*>& fresh, bool leaving);
  void Clear(App& app);
  void GiveUp(App& app, const std::string& build);
  bool Hopeless(const Replica& replica) const;
  std::int64_t PatienceFor(const api::Workload& workload) const;
  void Tell(App& app);
  // follow.cpp
  void Watch(Follower& follower, const std::filesystem::path& folder);
  void FollowNew(const App& app, const Replica& replica);
  void Pump(std::uint64_t id, bool first);
  void ReadWatches();

  std::int64_t Now() const { return clock_.SteadyNow().count(); }

  const SystemClock clock_;
  const Settings settings_;
  const Shim::Hooks hooks_;
  Machine machine_;
  std::optional<api::ShimStatus> machine_told_;
  std::int64_t look_at_ = 1;
  std::map<std::string, App> apps_;
  std::vector<std::string> unsettled_;  // apps to reconcile at the end of the turn
  std::map<std::uint64_t, Follower> followers_;
  Descriptor watch_;  // inotify
  Descriptor wake_;   // eventfd

  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  bool quit_ = false;
  Worker worker_;       // copies and hashes files
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace ote::agent::process
