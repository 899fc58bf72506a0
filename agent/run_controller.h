// The runs of a root: starts them, keeps them going, shows them. Serves fl.* but for what a site is asked.
//
// What it answers with success is on disk. After a crash Start() takes every unfinished run up again. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/run_driver.h"
#include "agent/run_watchers.h"
#include "agent/transfer.h"
#include "agent/uplink.h"
#include "agent/worker.h"
#include "core/api/requests.h"
#include "core/api/run_remove.h"

namespace ote::agent {

class RunController {
 public:
  static constexpr std::size_t kMostListed = 500;  // runs in one fl.list, the newest
  // Runs that ended unfinished and can be taken up again; of more, the oldest cannot any longer.
  static constexpr std::size_t kMostResumable = 16;

  RunController(Context& context, Members& members, const Uplink& uplink, Transfer& transfer, Openings& openings);
  ~RunController();

  // Registers the verbs and restores what was active. After Members::Start.
  Result<void> Start();

  std::int64_t ActiveCount() const noexcept { return std::ssize(drivers_); }
  // For what takes long in a run at its root; the agent's own thread never waits for it.
  Worker& GetWorker() noexcept { return worker_; }
  const Worker& GetWorker() const noexcept { return worker_; }
  // For sites to which tasks are carried. The driver of a run that goes on; null for another.
  RunDriver* DriverOf(const std::string& id) const;
  Result<api::Run> Show(const std::string& id) const { return Find(id); }
  // Called when a site was given a task, in the midst of the run's work: nothing may be fed to it from there.
  void OnAsked(std::function<void(const std::string& site, const api::Task& task)> fn) { asked_ = std::move(fn); }
  // What else goes with a run, in the transaction that removes it (`dry`: is only counted): how many rows.
  using AlsoGoes = std::function<Result<std::int64_t>(const std::string& run, bool dry)>;
  void OnRemoved(AlsoGoes fn) { also_goes_ = std::move(fn); }
  // The artifacts that others than runs and registered models need.
  void SetOthers(std::function<std::set<std::string>()> fn) { others_need_ = std::move(fn); }
  // The id of the run that has this id or name. kRunUnknown.
  Result<std::string> IdOf(const std::string& name) const;
  // Whether a run or a registered model needs an artifact, or may do so.
  bool Needs(const std::string& digest) const { return NeededElsewhere(digest, {}); }
  // Artifacts that runs and registered models need; kBusy while a run cannot tell.
  Result<std::set<std::string>> Needed() const;

 private:
  tl::unexpected<Error> Unknown(const std::string& name) const;
  struct Known {  // what tells a run from others without reading it
    std::string id;
    std::string name;
    std::string request_id;
    UnixMillis created_at = 0;
  };
  Result<api::Run> StartRun(const api::StartRequest& request);
  Result<api::Run> DryRun(const api::RunSpec& spec) const;
  Result<std::optional<api::Run>> SameRequest(const api::StartRequest& request) const;
  Result<api::RunList> List() const;
  Result<api::Run> Cancel(const api::NameRequest& request);
  Result<api::Run> Resume(const api::NameRequest& request);
  // In run_removal.cpp.
  Result<api::RunRemoved> Remove(const api::RunRemoveRequest& request);
  Result<std::int64_t> DropRows(const std::string& id, bool dry);
  // What must stay when a run goes, of which its record alone keeps `only`.
  Result<std::set<std::string>> NeededWithout(const std::string& id, const std::set<std::string>& only) const;
  // spec.from as the digest of a model of the registry.
  Result<void> ResolveStart(api::RunSpec& spec) const;
  void ForgetOldStates();
  Result<api::Empty> Offer(const Request& request, const parcel::Parcel& offer);
  void Watch(Request request);
  void Record(Request request);
  Result<api::Run> Find(const std::string& name) const;
  RunDriver::Hooks HooksOf();
  void Ended(const std::string& id);
  bool NeededElsewhere(const std::string& digest, const std::string& run) const;

  Context& context_;
  Members& members_;
  const Uplink& uplink_;
  Transfer& transfer_;
  Openings& openings_;
  RunWatchers watchers_;
  Worker worker_;
  std::function<void(const std::string& site, const api::Task& task)> asked_;
  AlsoGoes also_goes_;
  std::function<std::set<std::string>()> others_need_;
  std::vector<Known> known_;                                   // oldest first
  std::map<std::string, std::unique_ptr<RunDriver>> drivers_;  // by run id
  std::vector<std::unique_ptr<RunDriver>> ended_;              // until nothing of theirs is on the stack
  Timers::Id burial_ = 0;
};

}  // namespace ote::agent
