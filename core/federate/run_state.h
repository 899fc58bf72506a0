// What a run machine holds between events. Internal to core/federate.
//
// The work is split by idea: participants.cpp chooses sites and gives them tasks, survey.cpp asks for statistics,
// round.cpp opens rounds and moves on, private_round.cpp adds noise, closing.cpp makes the next model and ends the run,
// offers.cpp takes answers, updates.cpp fetches and folds what was offered, sums.cpp has relays fold it,
// masked_round.cpp takes a round through the steps of secure aggregation and masked_answers.cpp what the sites answer
// to them, snapshot.cpp keeps it all across a restart, entries.cpp writes the record, replay.cpp makes a recorded round
// again, run_machine.cpp starts it and hands out events.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/federate/masks/masked_sum.h"
#include "core/federate/masks/root_masks.h"
#include "core/federate/run_machine.h"
#include "core/learn/model.h"
#include "crypto/random_stream.h"

namespace ote::federate {

// More examples than this cannot stand behind one model.
inline constexpr std::int64_t kMaxRows = std::int64_t{1} << 40;
// Of what a site says of its failure, which may have the end of what its trainer printed.
inline constexpr std::size_t kLongestReason = 1000;
// The finished model is measured within this, or the run's deadline when that is shorter.
inline constexpr std::chrono::milliseconds kMeasuring = std::chrono::seconds(60);

// kLeft: did not answer a step of a masked round in time, and is in none of the later ones.
enum class Answer { kPending, kOffered, kFolded, kFailed, kRefused, kRemoved, kLeft };

// A site that was asked in the open round. What its offer may hold is fixed when it is asked.
struct Asked {
  std::string name;
  std::int64_t train_rows = 0;
  std::int64_t test_rows = 0;
  Answer answer = Answer::kPending;
  std::string error;                            // kFailed, kRefused
  api::SiteFailure failure;                     // the same, in its parts
  std::int64_t size = 0;                        // of its update
  std::int64_t base = 0;                        // the round whose model it trains from
  std::string model;                            // and that model
  std::string task;                             // TaskDigest of what it was sent last
  std::optional<api::SiteStatement> statement;  // kOffered, kFolded
  api::RoundSite result;                        // kOffered, kFolded
  bool within = false;                          // adaptive clipping: the norm left its update alone
  // Not kept across a restart:
  std::optional<api::DataStatistics> statistics;
  bool reachable = false;
  bool by_hand = false;
  int fetches_failed = 0;
  bool direct = false;      // its update is fetched by itself, though a relay stands before it
  std::int64_t in_sum = 0;  // the FetchSum that its update was asked for with; 0 for none
  int sums = 0;             // that were asked for with it and did not bring it
  bool held = false;        // offered in time, and waits for a sum
  std::optional<std::chrono::milliseconds> ask_again;

  bool Open() const noexcept { return answer == Answer::kPending || answer == Answer::kOffered; }

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("trainRows", self.train_rows, kRequired);
    v("testRows", self.test_rows, kRequired);
    v("answer", self.answer, kRequired);
    v("error", self.error);
    v("failure", self.failure);
    v("size", self.size);
    v("base", self.base);
    v("model", self.model);
    v("task", self.task);
    v("statement", self.statement);
    v("within", self.within);
    v("result", self.result);
  }
};

// An update that is in the sum and kept as an artifact until the next checkpoint.
struct Spooled {
  std::string digest;
  std::int64_t weight = 0;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("weight", self.weight, kRequired);
  }
};

// How far a masked round is. The answers of the sites are artifacts, by the site's name.
struct MaskedRound {
  std::int64_t attempt = 1;
  api::TaskKind step = api::TaskKind::kMaskKeys;
  std::int64_t exponent = 0;           // of the units of the sum
  std::vector<std::string> trains;     // whose masks are laid, from step train (or evaluate) on; sorted
  std::vector<std::string> survivors;  // whose updates are in the sum, from step mask-consent on; sorted
  std::map<std::string, std::string> keys;
  std::map<std::string, std::string> deals;
  std::map<std::string, std::string> consents;
  std::map<std::string, std::string> shares;
  // Of all sites together, known once the sum is unmasked.
  api::Metrics metrics;
  api::Metrics personal;

  std::int64_t Stage() const noexcept;
  // Of the present step; none for train and evaluate.
  std::map<std::string, std::string>* Answers() noexcept;
  std::vector<std::string> Artifacts() const;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("attempt", self.attempt, kRequired);
    v("step", self.step, kRequired);
    v("exponent", self.exponent);
    v("trains", self.trains);
    v("survivors", self.survivors);
    v("keys", self.keys);
    v("deals", self.deals);
    v("consents", self.consents);
    v("shares", self.shares);
    v("metrics", self.metrics);
    v("personal", self.personal);
  }
};

struct OpenRound {
  std::int64_t round = 0;
  api::TaskKind kind = api::TaskKind::kTrain;
  std::vector<Asked> asked;  // sorted by name
  std::vector<std::string>
      excused;                // missed the last round and were away when this one opened; asked if they come back
  std::int64_t capacity = 0;  // of the grid
  std::string checkpoint;     // artifact: the sum without what is spooled; "" for none
  std::vector<Spooled> spooled;
  double count_noise = 0;       // adaptive clipping: deviation of the noise in the count of this round
  std::int64_t elapsed_ms = 0;  // when this was saved
  UnixMillis started_at = 0;
  std::optional<MaskedRound> masks;  // with secure aggregation, while it trains or measures

  Asked* Find(std::string_view name) noexcept;
  // What its sites are asked to do now, and the stage of that.
  api::TaskKind Doing() const noexcept { return masks ? masks->step : kind; }
  std::int64_t Stage() const noexcept { return masks ? masks->Stage() : 0; }
  bool Measures() const noexcept { return kind == api::TaskKind::kEvaluate; }
  // Whether what its sites make now is fetched from them.
  bool Fetches() const noexcept {
    return Doing() == api::TaskKind::kTrain || (masks && Doing() == api::TaskKind::kEvaluate);
  }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("kind", self.kind, kRequired);
    v("asked", self.asked, kRequired);
    v("excused", self.excused);
    v("capacity", self.capacity, kRequired);
    v("checkpoint", self.checkpoint);
    v("spooled", self.spooled);
    v("countNoise", self.count_noise);
    v("elapsedMs", self.elapsed_ms);
    v("startedAt", self.started_at);
    v("masks", self.masks);
  }
};

// What is on disk.
struct Kept {
  std::int64_t format = kFormat;
  api::Run run;
  std::string schema;
  std::int64_t raw_features = 0;         // of the sites' rows, before preparation
  bool surveyed = false;                 // the preparation stands, and so does the model
  std::int64_t capacity = 0;             // of the grids of coming rounds
  std::vector<std::string> missed;       // left out of the last round
  std::vector<std::string> measured_by;  // asked to measure the finished model: the last round's participants
  std::vector<Asked> in_flight;          // fedbuff: at work for a round that was closed without them; sorted by name
  api::Checkpoint best;                  // the model of run.best_round
  std::optional<double> best_value;
  std::int64_t worse = 0;  // rounds since then
  std::string strategy;    // artifact: what the strategy remembers; "" for what it begins with
  std::int64_t strategy_size = 0;
  double clip_norm = 0;  // privacy: of the open or the next round
  Bytes secret;          // central noise is made from it; gone when the run has finished
  std::optional<OpenRound> open;
  static constexpr std::int64_t kFormat = 2;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("format", self.format, kRequired);
    v("run", self.run, kRequired);
    v("schema", self.schema, kRequired);
    v("rawFeatures", self.raw_features);
    v("surveyed", self.surveyed);
    v("capacity", self.capacity, kRequired);
    v("missed", self.missed);
    v("measuredBy", self.measured_by);
    v("inFlight", self.in_flight);
    v("best", self.best);
    v("bestValue", self.best_value);
    v("worse", self.worse);
    v("strategy", self.strategy);
    v("strategySize", self.strategy_size);
    v("clipNorm", self.clip_norm);
    v("secret", self.secret);
    v("open", self.open);
  }
};

// An update on its way.
struct Fetching {
  std::string site;
  std::string digest;
};

// A sum that a relay was asked for.
struct Summing {
  std::int64_t id = 0;
  std::string via;
  std::vector<FetchSum::Item> items;
};

struct RunMachine::State {
  Kept kept;
  Limits limits;
  std::map<std::string, Site> sites;
  std::set<std::string> unfit_told;  // sites whose data does not fit the run, already said so
  Artifacts artifacts;
  std::unique_ptr<Strategy> strategy;
  std::unique_ptr<learn::Model> maker;  // null before the survey
  std::vector<float> model;
  std::vector<float> strategy_state;
  std::optional<Accumulator> sum;
  std::map<std::string, Bytes> mask_keys;  // of the open round's step mask-keys
  std::optional<RootMasks> mask_root;      // of its later steps
  std::optional<MaskedSum> masked;         // from step train on, until it is unmasked elsewhere
  std::int64_t unmasks = 0;                // asked for
  bool unmasking = false;                  // the last of them is not answered
  std::vector<Fetching> fetching;
  std::vector<Summing> summing;
  std::int64_t sums_asked = 0;
  std::int64_t spooled_bytes = 0;
  std::chrono::milliseconds deadline_length{0};
  std::chrono::milliseconds opened{0};  // steady time at which the open round began, moved back by what had elapsed
  std::chrono::milliseconds deadline{0};
  std::chrono::milliseconds hand_length{0};
  std::chrono::milliseconds hand_deadline{0};  // of the sites whose answers are carried
  std::optional<std::chrono::milliseconds> wake;
  std::int64_t unsaved = 0;  // answers since the last SaveState

  // Of the event at hand.
  Now now;
  std::vector<Action> durable;  // before the state is saved
  bool save = false;
  std::vector<Action> announced;  // after
  std::optional<Error> refused;

  bool Over() const noexcept { return kept.run.Over(); }
  bool Masked() const noexcept { return kept.run.spec.masks.kind != api::MaskKind::kNone; }
  std::int64_t Minimum() const noexcept {
    return std::max(kept.run.spec.sites.minimum, Masked() ? kFewestMasked : std::int64_t{0});
  }
  // Updates without which a round does not close: any number may be drawn by chance.
  std::int64_t RoundMinimum() const noexcept { return DrawnByChance() ? 0 : Minimum(); }
  // What one fresh example weighs.
  std::int64_t Unit() const noexcept { return Buffered() ? kFresh : 1; }
  // The later one as long as an answer may still be carried here.
  std::chrono::milliseconds Deadline() const noexcept;
  bool PastDeadline() const noexcept { return now.steady >= Deadline(); }
  bool Buffered() const noexcept { return kept.run.spec.strategy.kind == api::StrategyKind::kFedBuff; }
  std::int64_t Planned() const noexcept { return kept.run.planned_rounds; }
  double RateOf(std::int64_t round) const noexcept;  // the learning rate, by the schedule
  std::int64_t UpdateCount() const;                  // values in an update of the open round
  UpdateForm FormOfUpdate() const;                   // without masks
  std::int64_t UpdateBytes() const;                  // of it as it travels
  std::int64_t Staleness(const Asked& asked) const noexcept { return kept.open->round - asked.base; }
  // Examples behind its update; with noise every site counts once, or the one with most rows would need the most noise.
  // A measure has its rows with it.
  std::int64_t ExamplesOf(const Asked& asked) const {
    return Private() || (kept.open && kept.open->Measures()) ? 1 : asked.result.examples;
  }
  std::int64_t WeightOf(const Asked& asked) const;  // of its update in the sum
  void Tell(std::string_view kind, std::string_view cluster, std::string message);
  void TellFailure(std::string_view kind, const api::SiteFailure& failure, std::string message);
  // The actions of the event at hand, in the order of the promise: durable, saved, announced.
  Outcome Take();

  // participants.cpp
  // Makes the model that the run trains, from fresh parameters or from `from`, and names it.
  Result<void> MakeFirstModel(const ModelFile* from);
  bool Fits(const Site& site);      // its data set against the run's; says so once when not
  void WidenClasses();              // before the first round: takes in the classes of sites that came after the start
  std::vector<const Site*> Pool();  // eligible and fitting, in the order of the round's draw
  std::vector<const Site*> PoolFor(std::int64_t round);
  void Ask(const Site& site);  // adds it to the open round and sends the task if it is there
  void SendTo(Asked& asked);
  void AskAnew(Asked& asked);  // one that is to answer: it begins from the present model, also when it had an older one
  // Asks others in place of those that failed, when only `able` are left; gives how many more could still be asked.
  std::int64_t TopUp(std::int64_t able);
  std::int64_t RoomFor(
      const Site& site) const;              // rows that the open round could still take with it; negative: too many
  std::string Missing(bool past_deadline);  // "needs 3 clusters, 2 are reachable; waiting for clinic-c"
  void OnSite(const Site& site);
  void OnRemoved(const std::string& name);

  // private_round.cpp
  bool Private() const noexcept;        // with noise
  bool Central() const noexcept;        // that the root adds
  bool DrawnByChance() const noexcept;  // each site by a draw of its own
  void BeginPrivacy();
  void NoteCost();  // of the rounds so far
  std::optional<std::string> TooCostly() const;
  double CountNoise();
  double SumNoise();  // of the open round
  api::TaskPrivacy PrivacyOfTask();
  void DrawSites(std::vector<const Site*>& pool, std::int64_t round) const;
  Grid GridOfSum();  // of the open round
  Result<void> FoldClipped(std::vector<float> values, std::int64_t weight);
  void AddNoiseToSum();
  void AdaptClipNorm(std::int64_t votes, std::int64_t voters, crypto::RandomStream& random);

  // survey.cpp
  bool TryOpenSurvey();
  bool StepSurvey();  // whether something changed

  // round.cpp
  void Settle();  // moves on as far as the answers and the time allow
  bool TryOpen();
  void PrepareSum();  // an empty one for the open round
  void BeginRound(OpenRound round, std::chrono::milliseconds length);
  struct Tally {
    std::int64_t folded = 0;
    std::int64_t waiting = 0;  // asked, and not answered or not yet folded
    std::int64_t able = 0;     // folded, or on the way, or reachable
    const Asked* first_failed = nullptr;
  };
  Tally Count() const;
  bool StepTraining();  // whether something changed
  void OpenMeasuring();
  void UpdateStatus(bool paused, std::string message);
  void SetWake();

  // closing.cpp
  void CloseTraining();
  api::Round RecordOf(const OpenRound& open);
  Result<void> MakeNextModel(const RoundFacts& facts);
  std::int64_t PoolRows();
  RoundFacts Facts(std::int64_t pool_rows) const;
  void KeepStrategy();  // what the strategy remembers: stores it and names it
  void KeepCheckpoint();
  void NoteMeasured(const OpenRound& open);  // what it measured of the present model
  void ForgetAtSites();                      // what sites keep for the run
  std::optional<std::string> WhyStop() const;
  void Finish();
  void Complete(std::string message = {});  // registers the model and ends the run
  void End(api::RunStatus status, std::string message);
  void ReleaseRound();  // artifacts of the open round; tells its sites
  void SetModelFile();  // from `model`: stores the file and names it

  // entries.cpp
  void EnterBegin();
  void EnterModel(const OpenRound* survey);
  // All of the open round's but what comes of it.
  api::RecordEntry EntryOf(const api::Round& record, std::int64_t pool_rows) const;
  void EnterRound(api::RecordEntry entry);
  // Those whose answers are in; their certificates go to the entry.
  std::vector<api::RecordedSite> RecordedSites(const OpenRound& open, api::RecordEntry& entry) const;

  // offers.cpp
  std::optional<Error> OnOffer(const std::string& site, const api::UpdateOffer& offer,
                               const std::optional<Error>& wrong);
  void OnTaskRefused(const TaskRefused& refused);
  std::optional<Error> Stale(const std::string& site, const api::UpdateOffer& offer);
  Result<void> CheckOffer(const Asked& asked, const api::UpdateOffer& offer) const;
  void CountRefusal(const std::string& site, const Error& error);
  void Answered(Asked& asked, Answer answer);
  void Failed(Asked& asked, Answer answer, api::SiteFailure failure);  // kFailed, kRefused
  void AskAgain();                                                     // those whose time has come

  // updates.cpp
  void StartFetches();
  void OnFetched(const Fetched& fetched);
  void OnFetchFailed(const FetchFailed& failed);
  Result<void> Fold(ByteView update, std::int64_t weight);  // into the sum, clipped; or only checks it
  Result<void> FoldCompressed(ByteView update, std::int64_t weight);
  void Checkpoint();
  void DropUnlessNeeded(const std::string& digest);

  // sums.cpp
  bool Folds() const noexcept;                  // whether relays do, in the open round
  bool MayFold(const std::string& site) const;  // whether its operator lets relays read its updates
  const std::string& ViaOf(const Asked& asked) const;
  bool BySum(const Asked& asked) const;
  bool Holds() const;  // whether the round waits past its deadline for what was offered in time
  void StartSums();
  std::optional<Summing> EndSum(std::int64_t id);  // nothing when it is not waited for
  void OnFetchedSum(const FetchedSum& fetched);
  void OnSumFailed(const SumFailed& failed);
  Result<void> TakeSum(const Summing& asked_for, const FetchedSum& fetched);
  void FetchDirectly(const Summing& asked_for);

  // masked_round.cpp
  bool StepMasked();  // whether something changed
  void BeginMasks();  // a try of the open round, with fresh keys
  void TryAnew(const std::string& why);
  void NextStep(api::TaskKind step, const std::set<std::string>& names);
  // Of an open masked round.
  std::int64_t MaskedMinimum() const noexcept { return kept.open->Measures() ? kFewestMasked : Minimum(); }
  std::chrono::milliseconds StepLength() const noexcept {
    return kept.open->Measures() ? std::min(deadline_length, kMeasuring) : deadline_length;
  }
  // A round that cannot be finished ends the run; when all that is left was to measure the model, with the model.
  void GiveUp(const std::string& why);
  void BeginShares();
  void BeginTraining(const std::set<std::string>& names);
  bool BeginUnmasking();  // false when it cannot: the round was given up
  void OnUnmasked(const Unmasked& unmasked);
  void CloseMasked(const MaskedSum& whole);
  api::MaskTask MaskPart(const std::string& site) const;
  MaskTry Try() const;
  Result<void> LoadMasks();  // from the answers that were kept
  void DropMaskArtifacts();
  bool CheckMaskedWeight();  // whether the masked sum stands for those that are said to be in it

  // masked_answers.cpp
  std::optional<Error> OnMaskAnswer(Asked& asked, const api::UpdateOffer& offer);

  // snapshot.cpp
  std::vector<std::string> NeededNow() const;
  Result<void> Load();  // checks `kept`, and builds all else from it and its artifacts
  Result<void> LoadModel();
  Result<void> LoadSum();
  void Resume();  // the open round, with its whole deadline
};

// The seed of one site in one round, from the run's seed: the same whenever and wherever it is asked for.
BigId SiteSeed(std::int64_t run_seed, std::int64_t round, std::string_view site);
// Sites in the order in which a round draws them.
std::string DrawRank(std::int64_t run_seed, std::int64_t round, std::string_view site);
// All class names that the sites have, in the order of learn::Table::class_names.
std::vector<std::string> UniteClasses(const std::vector<const Site*>& sites);
// "round 3", "the survey"
std::string RoundName(const OpenRound& open);
// "clinic-b failed in phase train: …"
std::string FailedText(const Asked& asked);
// What `error` is of a site's part in a round.
api::SiteFailure FailureOf(const std::string& site, std::string_view phase, const Error& error);
// "loss 0.12, accuracy 0.98 on 100 rows"
std::string Describe(const api::Metrics& metrics);
// What the sites of a round measured of its model, put together in the order of their names.
api::Metrics Measured(const OpenRound& open);
// "a, b and c"; past ten names, "a, b, … and 17 more".
std::string ListNames(const std::vector<std::string>& names);
// The text of a peer, cut to what fits a line.
std::string CutText(std::string_view text, std::size_t limit = 400);

}  // namespace ote::federate

template <>
struct ote::EnumNames<ote::federate::Answer> {
  using E = ote::federate::Answer;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kPending, "pending"}, {E::kOffered, "offered"}, {E::kFolded, "folded"}, {E::kFailed, "failed"},
      {E::kRefused, "refused"}, {E::kRemoved, "removed"}, {E::kLeft, "left"}};
};
