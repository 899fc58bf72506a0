// Drives the state machine of one run at its root: feeds it what happens and performs what it asks for.
//
// What a machine promised is on disk before anybody is told. When the disk fails, the machine is thrown away as a crash
// would do it, the run is shown as paused with what the disk said, and it is restored from its last saved state when
// the disk may be better: so a full disk and a killed agent are one case. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/run_sums.h"
#include "agent/run_unmasking.h"
#include "agent/sealing/openings.h"
#include "agent/sealing/run_seals.h"
#include "agent/task_courier.h"
#include "agent/transfer.h"
#include "core/federate/run_machine.h"

namespace ote::agent {

// How run machines of this agent get at its artifacts, and what they may use.
federate::Artifacts ArtifactsOf(store::Artifacts& artifacts);
federate::Limits DriverLimits();
// The model that a run starts from; empty when it starts from none. kModelUnknown.
Result<std::optional<federate::ModelFile>> StartOf(Context& context, const api::RunSpec& spec);
// What a member is to a run on `dataset`; `via` is the child on the way to it, when there is one between.
federate::Site SiteOf(const Members& members, const api::Cluster& cluster, const std::string& dataset);
// All members of this agent, itself left out.
std::vector<federate::Site> SitesOf(const Members& members, const std::string& dataset);

class RunDriver {
 public:
  struct Hooks {
    std::function<void(const std::string& run)> advanced;  // its history or its end is to be shown
    std::function<void(const std::string& run)> over;      // may not destroy the driver before it returns
    // Whether another run or the registry needs an artifact.
    std::function<bool(const std::string& digest, const std::string& run)> needed;
    // A site was given a task.
    std::function<void(const std::string& site, const api::Task& task)> asked;
  };
  static constexpr std::chrono::milliseconds kDiskPause{15'000};

  // `worker` is for what would keep the agent from answering.
  RunDriver(Context& context, Members& members, Transfer& transfer, Openings& openings, Worker& worker, Hooks hooks,
            std::string id);
  ~RunDriver();

  // Begins a new run; with an error nothing of it remains.
  Result<void> Start(const api::RunSpec& spec, const std::string& request_id);
  // Takes a run up where its last saved state left it. A state that cannot be read fails the run, and says so.
  void Restore();
  // Takes up a run that failed or was cancelled; with an error it stays as it is.
  Result<void> Resume();

  void SiteChanged(const api::Cluster& cluster, bool removed);
  // No error: the offer is taken, or was before.
  Result<void> Offered(const std::string& site, const parcel::Parcel& parcel);
  // The same of an offer that a file brought, whose issuer was found to be `site`; its update is here already.
  Result<void> Carried(const std::string& site, const api::UpdateOffer& offer);
  // kBusy while the disk fails.
  Result<void> Cancel();

  // What a site has to do in the open round, for one to which it is carried; nothing when it has none to do.
  const api::Task* TaskOf(const std::string& site) const { return courier_.TaskOf(site); }

  const std::string& Id() const noexcept { return id_; }
  // What users see.
  api::Run View() const;
  // Empty while it is halted, though it needs what it was restored from.
  std::set<std::string> Needed() const;
  bool Halted() const noexcept { return !machine_; }

 private:
  federate::Now Now() const;
  federate::Limits LimitsNow() const;
  Result<federate::RunMachine> Restored(federate::Resume resume, federate::Outcome* outcome);
  std::optional<Error> Feed(const federate::Event& event);
  Result<void> Perform(std::vector<federate::Action> actions);
  Result<void> MakeDurable(std::vector<federate::Action>& actions);
  void Announce(federate::Action& action);
  void Fetch(const federate::FetchUpdate& wanted);
  Error Busy() const;
  void EndSeals();
  void StopFetch(const std::string& site);
  void StopFetches();
  void Arrived(const federate::FetchUpdate& wanted, Result<void> result);
  void Opened(const federate::FetchUpdate& wanted, Result<void> result);
  Result<void> Answered(const std::string& site, const api::UpdateOffer& offer, const std::string& statistics);
  void Deliver(const federate::FetchUpdate& wanted, const Result<store::MappedArtifact>& update);
  void CloseRound(const federate::CloseRound& close);
  void Wake(std::chrono::milliseconds at);
  void Halt(const Error& error);
  void FailForGood(const Error& error);

  Context& context_;
  Members& members_;
  Transfer& transfer_;
  Openings& openings_;
  Hooks hooks_;
  std::string id_;
  std::string dataset_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::optional<federate::RunMachine> machine_;
  std::optional<Error> halted_;
  RunSeals seals_;
  TaskCourier courier_;
  RunSums sums_;
  RunUnmasking unmasking_;
  // Updates on their way: sealed, then being opened. By site.
  std::map<std::string, Transfer::Id> fetches_;
  std::map<std::string, Openings::Id> opening_;
  Timers::Id wake_ = 0;
  Timers::Id retry_ = 0;
};

}  // namespace ote::agent
