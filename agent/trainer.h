// A site's part in federated runs: takes tasks, fetches the model, trains on its own rows, and offers the update.
// Serves fl.task and fl.close. What comes and goes is sealed (agent/sealing/site_seals.h): a task is looked at when its
// signature is seen to be the root's, and an update is on disk and on its way as the root alone can read it.
//
// A task that was taken is on disk, and so is an update before it is offered: after a crash Start() does again what had
// not been offered and offers again what had not been closed. A newer task of a run ends the older ones. One thread,
// and the worker's for reading and training.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/context.h"
#include "agent/datasets.h"
#include "agent/sealing/openings.h"
#include "agent/sealing/site_seals.h"
#include "agent/trainers/registry.h"
#include "agent/transfer.h"
#include "agent/uplink.h"
#include "core/base/stopwatch.h"
#include "core/federate/site.h"
#include "core/site/memories.h"
#include "core/site/perform.h"
#include "core/site/task_records.h"

namespace ote::agent {

class Trainer {
 public:
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::chrono::milliseconds kPause{2'000};  // doubled with every try, up to kLongestPause
  static constexpr std::chrono::milliseconds kLongestPause{60'000};

  Trainer(Context& context, Uplink& uplink, Transfer& transfer, Openings& openings, Datasets& datasets,
          const Trainers& trainers);
  ~Trainer();

  // Registers the verbs and takes up what was left.
  Result<void> Start();

  // Tasks that are not answered yet.
  std::size_t Pending() const noexcept { return jobs_.size(); }
  // Artifacts that tasks and offers need.
  std::set<std::string> Needed() const;

 private:
  struct Job {  // a task on its way to an answer
    site::TaskRecord record;
    std::uint64_t serial = 0;
    Transfer::Id fetch = 0;
    Openings::Id opening = 0;
    std::stop_source training{std::nostopstate};
    int tries = 0;
    bool fetched_again = false;  // since the first copy was damaged
    Timers::Id timer = 0;
    Stopwatch since;           // the present phase began
    double fetch_seconds = 0;  // it took to fetch the model

    const api::Task& Task() const noexcept { return record.task; }
  };
  // An artifact that a task names, as it is here and as it travels.
  struct Given {
    const std::string& digest;
    std::int64_t size;
    const api::LockedCopy& locked;
  };
  struct Answer {  // an offer until its round is closed
    site::OfferRecord record;
    bool asking = false;
    int tries = 0;
    Timers::Id timer = 0;
  };
  Result<api::Empty> Take(const parcel::Parcel& parcel);
  // The same task, whose model may have been sealed anew.
  Result<void> TakeAgain(const std::string& key, const site::TaskRecord& record);
  Result<api::Empty> Close(const api::RoundRef& round);
  // Forgets tasks and offers of `run` up to `round` and, of that one, `stage`, and what only they needed.
  Result<void> Forget(const std::string& run, std::int64_t round, std::int64_t stage = INT64_MAX);
  void Begin(const std::string& key);
  void BeginAgain(const std::string& key, std::uint64_t serial);  // its timer has come
  void FetchModel(const std::string& key);
  void Fetched(const std::string& key, const Result<void>& result);
  void Open(const std::string& key, const Given& given);
  void Opened(const std::string& key, const Result<void>& result);
  void Train(const std::string& key);
  void Trained(const std::string& key, std::uint64_t serial, Result<SealedAnswer> answer);
  void Keep(const std::string& key, const SealedAnswer& answer);
  void KeepFailed(const std::string& key, const Error& error, std::string_view phase);
  void OfferIt(const std::string& key);
  void Offered(const std::string& key, const Result<wire::Envelope>& answer);
  Timers::Id Later(int& tries, std::function<void()> fn);
  Job* Find(const std::string& key, std::uint64_t serial);
  void DropIfUnneeded(const std::string& digest);
  void DropCopies(const api::TaskSeals& seals);  // and what has arrived of them
  // The artifact that the task needs and that is not here.
  std::optional<Given> Lacking(const site::TaskRecord& record) const;

  Context& context_;
  Uplink& uplink_;
  Transfer& transfer_;
  Openings& openings_;
  Datasets& datasets_;
  const Trainers& trainers_;
  SiteSeals seals_;
  site::Memories memories_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Job> jobs_;
  std::map<std::string, Answer> answers_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace ote::agent
