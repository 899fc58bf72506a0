// The executing side of apps: what is wanted on this cluster, kept here, and given to its shim.
//
// An assignment is in the store before it is answered for, so that the desired state lives where it is needed: with the
// line cut and after a reboot it goes on. A revision that asked for it and does not get healthy is left for the last
// one that was, without asking anybody.
//
// Who wins: the tier above owns what it deployed. A local operator may set it aside (other workload, earlier revision,
// stopped); that holds until the tier above deploys a newer revision or takes the app back, is told upwards as
// "overridden by", and stays in the history of the app.
//
// Serves app.set, app.unset, app.restart and app.diff on the command bus. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/commands/bus.h"
#include "agent/context.h"
#include "agent/shim/shim.h"
#include "agent/state/board.h"
#include "core/api/app_requests.h"

namespace ote::agent {

class SiteDesk {
 public:
  using Done = std::function<void(Result<void>)>;
  // Brings an artifact here from the cluster whose app it is of; `done` once, later.
  using Fetch = std::function<void(const std::string& from, const api::AppFile& file, Done done)>;

  static constexpr std::chrono::milliseconds kRetry{10'000};  // of a fetch that failed
  static constexpr std::int64_t kEvents = 100;

  // All must outlive it.
  SiteDesk(Context& context, Shim& shim, CommandBus& bus, StateBoard& board, Fetch fetch);
  ~SiteDesk();

  // Takes up what is in the store, gives it to the shim, and registers with the bus.
  Result<void> Start();
  // The line is back: what could not be fetched is tried again.
  void Connected();
  // Artifacts that what is wanted here, or may be gone back to, names.
  std::set<std::string> Needed() const;

  // For an operator on this cluster; `key` is Assignment::Key. kAppUnknown.
  std::vector<api::AppView> List() const;
  Result<api::AppView> View(const std::string& key) const;
  // The key that a person means: itself, or the one app of a tier above that goes by this name.
  Result<std::string> KeyOf(const std::string& name) const;
  // Runs `workload` in place of what the tier above wants.
  Result<void> Override(const std::string& key, api::Workload workload, const std::string& by);
  // To an earlier revision that was healthy here, 0 for the last; the revision that is wanted ends an override.
  Result<void> Rollback(const std::string& key, std::int64_t to, const std::string& by);
  Result<void> StopHere(const std::string& key, const std::string& by);
  void Restart(const std::string& key, Done done);

  // An app.set or app.unset that came by a file; once more is no change. What the bus would answer.
  Result<Json> Carried(const api::Command& command);
  // nullopt for an app that is not here, or not any more.
  std::optional<api::AppStatus> StatusAt(const std::string& key) const;

  Shim& shim() noexcept { return shim_; }
  bool Has(const std::string& key) const { return apps_.contains(key); }

 private:
  struct Live {
    api::SiteApp record;
    std::optional<api::AppStatus> told;  // the last by the shim
    std::set<std::int64_t> same;         // earlier revisions of the very workload that is applied
    std::string note;                    // what the agent itself has to say
    bool fetching = false;
    bool removing = false;
    Timers::Id deadline = 0;
    Timers::Id retry = 0;
    std::uint64_t turn = 0;  // of the last call to the shim; answers to earlier ones are late
  };
  Result<Json> Set(const api::Command& command);
  Result<Json> Unset(const api::Command& command);
  void Diff(const api::Command& command, const CommandBus::Done& done);
  std::string KeyFor(const api::Command& command, const std::string& app) const;

  Result<Live*> Find(const std::string& key);
  Result<void> Save(const Live& live);
  void Note(Live& live, std::string what, std::int64_t revision, std::string by, std::string message = {});
  // What is to run now; nothing when none.
  const api::Assignment* Desired(const api::SiteApp& record) const;
  void Reconcile(const std::string& key);
  bool FetchMissing(const std::string& key, const api::Assignment& wanted);
  void Give(const std::string& key, const api::Assignment& wanted);
  void TakeAway(const std::string& key);
  void Told(const api::AppStatus& status);
  void Failed(const std::string& key, const std::string& why);
  void ArmDeadline(const std::string& key);
  api::AppStatus StatusOf(const Live& live) const;
  void Publish(const Live& live);
  void Happened(const api::ClusterEvent& event);

  Context& context_;
  Shim& shim_;
  CommandBus& bus_;
  StateBoard& board_;
  Fetch fetch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<std::string, Live> apps_;  // by key
};

}  // namespace ote::agent
