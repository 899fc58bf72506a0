// What a run machine holds between events. Internal to core/federate.
//
// The work is split by idea: participants.cpp chooses sites, round.cpp opens and closes rounds, offers.cpp takes
// answers, snapshot.cpp keeps it all across a restart, run_machine.cpp starts it and hands out events.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/federate/run_machine.h"
#include "core/learn/layout.h"

namespace ote::federate {

// More examples than this cannot stand behind one model.
inline constexpr std::int64_t kMaxRows = std::int64_t{1} << 40;
// The finished model is measured within this, or the run's deadline when that is shorter.
inline constexpr std::chrono::milliseconds kMeasuring = std::chrono::seconds(60);

enum class Answer { kPending, kOffered, kFolded, kFailed, kRefused, kRemoved };

// A site that was asked in the open round. What its offer may hold is fixed when it is asked.
struct Asked {
  std::string name;
  std::int64_t train_rows = 0;
  std::int64_t test_rows = 0;
  Answer answer = Answer::kPending;
  std::string error;      // kFailed, kRefused
  std::int64_t size = 0;  // of its update
  api::RoundSite result;  // kOffered, kFolded
  // Not kept across a restart:
  bool reachable = false;
  int fetches_failed = 0;
  std::optional<std::chrono::milliseconds> ask_again;

  bool Open() const noexcept { return answer == Answer::kPending || answer == Answer::kOffered; }

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("trainRows", self.train_rows, kRequired);
    v("testRows", self.test_rows, kRequired);
    v("answer", self.answer, kRequired);
    v("error", self.error);
    v("size", self.size);
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

struct OpenRound {
  std::int64_t round = 0;
  api::TaskKind kind = api::TaskKind::kTrain;
  std::vector<Asked> asked;  // sorted by name
  std::vector<std::string>
      excused;                // missed the last round and were away when this one opened; asked if they come back
  std::int64_t capacity = 0;  // of the grid
  std::string checkpoint;     // artifact: the sum without what is spooled; "" for none
  std::vector<Spooled> spooled;
  std::int64_t elapsed_ms = 0;  // when this was saved
  UnixMillis started_at = 0;

  Asked* Find(std::string_view name) noexcept;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("kind", self.kind, kRequired);
    v("asked", self.asked, kRequired);
    v("excused", self.excused);
    v("capacity", self.capacity, kRequired);
    v("checkpoint", self.checkpoint);
    v("spooled", self.spooled);
    v("elapsedMs", self.elapsed_ms);
    v("startedAt", self.started_at);
  }
};

// What is on disk.
struct Kept {
  std::int64_t format = 1;
  api::Run run;
  std::string schema;
  std::int64_t capacity = 0;             // of the grids of coming rounds
  std::vector<std::string> missed;       // left out of the last round
  std::vector<std::string> measured_by;  // asked to measure the finished model: the last round's participants
  std::optional<OpenRound> open;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("format", self.format, kRequired);
    v("run", self.run, kRequired);
    v("schema", self.schema, kRequired);
    v("capacity", self.capacity, kRequired);
    v("missed", self.missed);
    v("measuredBy", self.measured_by);
    v("open", self.open);
  }
};

// An update on its way.
struct Fetching {
  std::string site;
  std::string digest;
};

struct RunMachine::State {
  Kept kept;
  Limits limits;
  std::map<std::string, Site> sites;
  std::set<std::string> unfit_told;  // sites whose data does not fit the run, already said so
  learn::Layout layout;
  std::vector<float> model;
  std::optional<Accumulator> sum;
  std::vector<Fetching> fetching;
  std::int64_t spooled_bytes = 0;
  std::chrono::milliseconds deadline_length{0};
  std::chrono::milliseconds opened{0};  // steady time at which the open round began, moved back by what had elapsed
  std::chrono::milliseconds deadline{0};
  std::optional<std::chrono::milliseconds> wake;
  std::int64_t unsaved = 0;  // answers since the last SaveState

  // Of the event at hand.
  Now now;
  std::vector<Action> durable;  // before the state is saved
  bool save = false;
  std::vector<Action> announced;  // after
  std::optional<Error> refused;

  bool Over() const noexcept { return kept.run.Over(); }
  std::int64_t Minimum() const noexcept { return kept.run.spec.sites.minimum; }
  bool PastDeadline() const noexcept { return now.steady >= deadline; }
  std::int64_t UpdateBytes() const noexcept { return static_cast<std::int64_t>(model.size() * sizeof(float)); }
  void Tell(std::string_view kind, std::string_view cluster, std::string message);
  // That a site could not do its part.
  void TellFailure(std::string_view cluster, std::string_view phase, const Error& error);
  // The actions of the event at hand, in the order of the promise: durable, saved, announced.
  Outcome Take();

  // participants.cpp
  bool Fits(const Site& site);      // its data set against the run's; says so once when not
  void WidenClasses();              // before the first round: takes in the classes of sites that came after the start
  std::vector<const Site*> Pool();  // eligible and fitting, in the order of the round's draw
  std::vector<const Site*> PoolFor(std::int64_t round);
  void Ask(const Site& site);  // adds it to the open round and sends the task if it is there
  void SendTo(const Asked& asked);
  // Asks others in place of those that failed, when only `able` are left; gives how many more could still be asked.
  std::int64_t TopUp(std::int64_t able);
  std::string Missing(bool past_deadline);  // "needs 3 clusters, 2 are reachable; waiting for clinic-c"
  void OnSite(const Site& site);
  void OnRemoved(const std::string& name);

  // round.cpp
  void Settle();  // moves on as far as the answers and the time allow
  bool TryOpen();
  void BeginRound(OpenRound round, std::chrono::milliseconds length);
  struct Tally {
    std::int64_t folded = 0;
    std::int64_t waiting = 0;  // asked, and not answered or not yet folded
    std::int64_t able = 0;     // folded, or on the way, or reachable
    const Asked* first_failed = nullptr;
  };
  Tally Count() const;
  bool StepTraining();  // whether something changed
  void CloseTraining();
  void OpenMeasuring();
  void Finish();
  void End(api::RunStatus status, std::string message);
  void ReleaseRound();  // artifacts of the open round; tells its sites
  void UpdateStatus(bool paused, std::string message);
  void SetModelFile();  // from `model`: stores the file and names it
  void SetWake();

  // offers.cpp
  std::optional<Error> OnOffer(const std::string& site, const api::UpdateOffer& offer);
  void OnFetched(const Fetched& fetched);
  void OnFetchFailed(const FetchFailed& failed);
  void OnTaskRefused(const TaskRefused& refused);
  Result<void> CheckOffer(const Asked& asked, const api::UpdateOffer& offer) const;
  void CountRefusal(const std::string& site, const Error& error);
  void Answered(Asked& asked, Answer answer, std::string error);
  void StartFetches();
  void Checkpoint();
  void AskAgain();  // those whose time has come
  void DropUnlessNeeded(const std::string& digest);

  // snapshot.cpp
  std::vector<std::string> NeededNow() const;
  Result<void> Load(const ArtifactReader& read);  // checks `kept`, and builds all else from it and its artifacts
  void Resume();                                  // the open round, with its whole deadline
};

// The seed of one site in one round, from the run's seed: the same whenever and wherever it is asked for.
BigId SiteSeed(std::int64_t run_seed, std::int64_t round, std::string_view site);
// Sites in the order in which a round draws them.
std::string DrawRank(std::int64_t run_seed, std::int64_t round, std::string_view site);
// All class names that the sites have, in the order of learn::Table::class_names.
std::vector<std::string> UniteClasses(const std::vector<const Site*>& sites);
// "a, b and c"; past ten names, "a, b, … and 17 more".
std::string ListNames(const std::vector<std::string>& names);
// The text of a peer, cut to what fits a line.
std::string CutText(std::string_view text, std::size_t limit = 400);

}  // namespace ote::federate

template <>
struct ote::EnumNames<ote::federate::Answer> {
  using E = ote::federate::Answer;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kPending, "pending"}, {E::kOffered, "offered"},
                                                              {E::kFolded, "folded"},   {E::kFailed, "failed"},
                                                              {E::kRefused, "refused"}, {E::kRemoved, "removed"}};
};
