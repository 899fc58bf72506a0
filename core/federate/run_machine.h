// A federated run at its root, as a state machine: events in, actions out. No sockets, no files, no clock of its own.
//
// The driver (the agent, a test, the simulator) performs the actions of one Handle() in their order, and performs all
// of them before the next Handle(). Whatever it promised is on disk before the next action: StoreArtifact and SaveState
// return only when the bytes are durable. A driver that dies at any point and restores the last saved state goes on to
// the same model, byte for byte.
//
// Memory: O(model), whatever the number of sites: each update is fetched by digest, one after the other as far as
// `Limits::fetches` allows, folded into one accumulator, and let go. So that a restart can build the accumulator again,
// the driver keeps fetched updates as artifacts until the machine drops them; when they take more room than
// `Limits::spool_bytes`, the machine stores a checkpoint of the accumulator and drops them.
//
// One round: (1) pick the participants, send each a task; (2) each offers an update, which is fetched, checked and
// folded, or refused and counted; (3) when all have answered, or the deadline has passed and the minimum is reached,
// the strategy makes the next model. Where the run prepares its data, a survey of the sites comes before as round 0; an
// asynchronous strategy closes a round as soon as its buffer is full, and lets the sites that are still at work go on.
// Past the deadline with fewer than the minimum the run is paused: it names those
// that are missing, and goes on when enough have answered. After the last round one evaluation task measures the
// finished model.
//
// Where relays fold, the updates of the sites behind one are asked of it as one sum, once none of those sites is still
// at work or the deadline has passed; whatever it did not fold is fetched one by one: sums.cpp. So are masked updates,
// which a relay adds up and cannot read.
//
// With secure aggregation a round has five steps, each a task for the sites that are left: masked_round.cpp.
//
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/api/record.h"
#include "core/api/requests.h"
#include "core/base/clock.h"
#include "core/federate/accumulator.h"
#include "core/federate/compress/update_form.h"
#include "core/federate/masks/mask_removal.h"
#include "core/federate/masks/masked_sum.h"
#include "core/federate/masks/session.h"
#include "core/federate/model_file.h"
#include "core/federate/strategy.h"

namespace ote::federate {

// What the root knows of a member that could take part.
struct Site {
  std::string name;
  api::Labels labels;
  bool reachable = false;
  std::optional<api::DatasetSummary> dataset;  // the run's, if it has it
  bool by_hand = false;                        // its task and its answer are carried: it has a deadline of its own
  std::string via = {};                        // the child on the way to it, which can fold; "" when there is none
};

struct Now {
  UnixMillis wall = 0;
  std::chrono::milliseconds steady{0};
};

// Events.
struct SiteChanged {  // came, went, changed labels or data set
  Site site;
};
struct SiteRemoved {
  std::string name;
};
struct Offered {  // fl.offer arrived from `site` (its certificate says who)
  std::string site;
  api::UpdateOffer offer;
  std::optional<Error> wrong = {};  // what the driver found in it: an open task's answer is refused for that
};
struct Fetched {  // what FetchUpdate asked for is here, on disk, and has the digest that was announced
  std::string site;
  std::int64_t round = 0;
  std::string digest;
  ByteView update;  // valid during Handle()
};
struct FetchFailed {
  std::string site;
  std::int64_t round = 0;
  Error error;
};
struct FetchedSum {  // what FetchSum asked for; the relay need not be believed
  struct NotFolded {
    std::string site;
    Error error;
  };
  std::int64_t id = 0;
  std::vector<std::string> folded;
  std::vector<NotFolded> failed;
  ByteView sum;  // RelaySum::Save() of those folded; valid during Handle()
};
struct SumFailed {
  std::int64_t id = 0;
  Error error;
};
struct Unmasked {  // what Unmask asked for: the sum, or why there is none
  std::int64_t id = 0;
  std::shared_ptr<MaskedSum> sum;
  std::optional<Error> failed = {};
};
struct TaskRefused {  // the site answered fl.task with an error
  std::string site;
  std::int64_t round = 0;
  Error error;
  std::int64_t stage = 0;
};
struct TimePassed {};  // the time asked for by WakeAt has come, or earlier
struct Cancelled {};
using Event = std::variant<SiteChanged, SiteRemoved, Offered, Fetched, FetchFailed, FetchedSum, SumFailed, Unmasked,
                           TaskRefused, TimePassed, Cancelled>;

// Actions.
struct StoreArtifact {  // durable, under its digest
  std::string digest;
  Bytes bytes;
};
struct SaveState {  // durable: this run as Snapshot() gives it now
};
struct DropArtifact {  // no longer needed; may be kept if something else needs it
  std::string digest;
};
struct SendTask {  // and again whenever the site comes back, until it has answered: sent at least once, harmless twice
  std::string site;
  api::Task task;
};
struct FetchUpdate {
  std::string site;
  std::int64_t round = 0;
  std::string digest;
  std::int64_t size = 0;
};
struct FetchSum {  // of the updates of sites behind `via`; answered by FetchedSum or SumFailed
  struct Item {
    std::string site;
    std::string digest;
    std::int64_t size = 0;
    std::int64_t weight = 0;
  };
  std::int64_t id = 0;
  std::string via;
  std::int64_t round = 0;
  UpdateForm form;      // of each
  Grid grid;            // of an exact sum
  bool masked = false;  // the sum is modulo 2^32, and each counts once in it
  std::vector<Item> items;
};
struct Unmask {  // take the masks out of the sum: it takes long, and belongs in another thread; answered by Unmasked
  std::int64_t id = 0;
  std::shared_ptr<const MaskRemoval> removal;
  std::shared_ptr<MaskedSum> sum;
};
struct CloseRound {  // tell the site that the round is over
  std::string site;
  api::RoundRef round;
};
struct WakeAt {  // the earliest of those asked for counts; replaced by each new one
  std::chrono::milliseconds steady{0};
};
struct Log {
  api::RunEvent event;  // seq is the driver's
};
struct Enter {  // durable with the next SaveState: the next entry of the run's record
  api::RecordEntry entry;
};
struct RegisterModel {  // the run is finished: put its model into the registry
  api::ModelEntry entry;
};
struct Over {};  // the run has ended; its machine may be destroyed after this Handle()
using Action = std::variant<StoreArtifact, SaveState, DropArtifact, SendTask, FetchUpdate, FetchSum, Unmask, CloseRound,
                            WakeAt, Log, Enter, RegisterModel, Over>;

struct Limits {
  int fetches = 2;                        // updates on their way at a time
  std::int64_t spool_bytes = 64LL << 20;  // at least one update always fits
  // Seconds from any beginning, to time the making of a model; empty: not timed.
  std::function<double()> stopwatch = {};
  KeyCheck members = {};  // whose keys masks may be made with; empty: runs with masks are refused
};

// Answers to an offer go back to the site: no error means taken (or taken before).
struct Outcome {
  std::vector<Action> actions;
  std::optional<Error> refused;  // only after Offered
};

// The bytes of an artifact.
using ArtifactReader = std::function<Result<Bytes>(const std::string& digest)>;

// How a machine gets at what it stored and fetched. Called during Restore and Handle, in the caller's thread.
struct Artifacts {
  ArtifactReader whole;
  RangeReader range;  // needed by strategies that compare updates
};

// A run that failed or was cancelled can be taken up where it stopped.
enum class Resume { kNo, kYes };

class RunMachine {
 public:
  // Checks the spec against what the sites have and starts the first round, or waits for sites (paused, naming what is
  // missing). `from` is the model to start from, when spec.from names one. kRunInvalid; kNoSites when no member has the
  // data set; kModelDataMismatch when sites' schemas, or the model and they, differ.
  static Result<RunMachine> Start(std::string id, const api::RunSpec& spec, std::string request_id,
                                  const std::vector<Site>& sites, Limits limits, Artifacts artifacts, const Now& now,
                                  Outcome* outcome, const ModelFile* from = nullptr);
  // From what Snapshot() gave. `sites` as they are now. kStoreCorrupt, kArtifactMissing; kConflict when it is to be
  // resumed and has finished.
  static Result<RunMachine> Restore(ByteView snapshot, const std::vector<Site>& sites, Limits limits,
                                    Artifacts artifacts, const Now& now, Outcome* outcome, Resume resume = Resume::kNo);
  RunMachine(RunMachine&&) noexcept;
  RunMachine& operator=(RunMachine&&) noexcept;
  ~RunMachine();

  Outcome Handle(const Event& event, const Now& now);

  // What users see; grows with the rounds, holds no parameters.
  const api::Run& View() const noexcept;
  // CBOR: the run, the open round, the folded contributions. No parameters: those are artifacts.
  Bytes Snapshot() const;
  // TaskDigest of what `site` was sent for `round` and is to answer; "" when it is not at work for it.
  std::string TaskOf(const std::string& site, std::int64_t round) const;
  // Artifacts that must be kept for this run; of one that failed or was cancelled, what resuming it needs.
  std::vector<std::string> Needed() const;

  // What the round of a record comes to when it is made again from the model, the strategy's memory and the updates
  // that it names. kArtifactMissing, kArtifactCorrupt; kUnsupported where the updates are masked or noise was added;
  // kStoreCorrupt when they do not fit each other or the spec.
  struct Replayed {
    std::string model;  // digests, as in the record
    std::string state;
  };
  static Result<Replayed> Replay(const api::RunSpec& spec, const api::RecordRound& round, Artifacts artifacts);

 private:
  struct State;
  explicit RunMachine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The sites that a spec asks for: those named, or all with the data set, that the selector means; sorted by name.
std::vector<const Site*> Eligible(const api::RunSpec& spec, const std::vector<Site>& sites);

}  // namespace ote::federate
