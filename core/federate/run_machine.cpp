#include "core/federate/run_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/federate/masks/maskable.h"
#include "core/federate/plan.h"
#include "core/federate/run_state.h"
#include "core/learn/classes.h"
#include "core/learn/model.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

// Sites may join later and data sets grow: the grid leaves room for as much again.
constexpr std::int64_t kHeadroom = 2;

tl::unexpected<Error> Mismatch(const Site& a, const Site& b, std::string_view what) {
  return Fail(ErrorId::kModelDataMismatch,
              fmt::format("data set {}: {} and {} have {}", a.dataset->name, a.name, b.name, what),
              "ote data list shows the columns and classes of each");
}

// Named clusters must be members: a name that was mistyped would be waited for without end.
Result<void> CheckNamed(const api::RunSpec& spec, const std::vector<Site>& sites) {
  std::vector<std::string_view> known;
  for (const Site& site : sites) known.push_back(site.name);
  for (const std::string& name : spec.sites.clusters) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string_view near = Nearest(name, known);
    return Fail(ErrorId::kRunInvalid,
                fmt::format("sites.clusters: {} is not a member{}", name,
                            near.empty() ? std::string() : fmt::format("; did you mean {}?", near)),
                "ote cluster list");
  }
  return {};
}

// What the data of the sites is, when they agree.
Result<void> Agree(const api::RunSpec& spec, const std::vector<const Site*>& eligible) {
  const Site& first = *eligible.front();
  for (const Site* site : eligible) {
    // A model to start from brings its own preparation along.
    if (spec.from.empty()) {
      if (auto prepared = api::CheckPrepared(*site->dataset, spec.prepare); !prepared) {
        return Fail(std::move(prepared).error().Context(site->name));
      }
    }
    if (site->dataset->features != first.dataset->features || site->dataset->schema != first.dataset->schema) {
      return Mismatch(first, *site, "different columns");
    }
    if (spec.task != api::DataTask::kClustering && (site->dataset->classes == 0) != (first.dataset->classes == 0)) {
      return Mismatch(first, *site, "different kinds of labels: classes and numbers");
    }
  }
  if (spec.task == api::DataTask::kClustering) return {};
  const bool regression = spec.task == api::DataTask::kRegression;
  if (regression != (first.dataset->classes == 0)) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("data set {}: its labels are {}, and the run's task is {}", first.dataset->name,
                            first.dataset->classes == 0 ? "numbers" : "classes", NameOf(spec.task)));
  }
  return {};
}

}  // namespace

void RunMachine::State::TellFailure(std::string_view kind, const api::SiteFailure& failure, std::string message) {
  Tell(kind, failure.name, std::move(message));
  auto& event = std::get<Log>(announced.back()).event;
  event.phase = failure.phase;
  event.code = failure.code;
  event.hint = failure.hint;
}

void RunMachine::State::Tell(std::string_view kind, std::string_view cluster, std::string message) {
  api::RunEvent event;
  event.at = now.wall;
  event.kind = kind;
  event.round = kept.open ? kept.open->round : static_cast<std::int64_t>(kept.run.rounds.size());
  event.cluster = cluster;
  event.message = std::move(message);
  announced.emplace_back(Log{std::move(event)});
}

Outcome RunMachine::State::Take() {
  Outcome out;
  out.actions = std::move(durable);
  if (save) {
    out.actions.emplace_back(SaveState{});
    unsaved = 0;
  }
  for (Action& action : announced) out.actions.push_back(std::move(action));
  out.refused = std::move(refused);
  durable.clear();
  announced.clear();
  refused.reset();
  save = false;
  return out;
}

RunMachine::RunMachine(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunMachine::RunMachine(RunMachine&&) noexcept = default;
RunMachine& RunMachine::operator=(RunMachine&&) noexcept = default;
RunMachine::~RunMachine() = default;

Result<RunMachine> RunMachine::Start(std::string id, const api::RunSpec& spec, std::string request_id,
                                     const std::vector<Site>& sites, Limits limits, Artifacts artifacts, const Now& now,
                                     Outcome* outcome, const ModelFile* from) {
  OTE_CHECK(CheckPlan(spec));
  OTE_CHECK(CheckMaskable(spec));
  if (spec.masks.kind != api::MaskKind::kNone && !limits.members) {
    return Fail(ErrorId::kUnsupported, "secureAggregation: this root knows no members that could make masks");
  }
  OTE_CHECK(CheckNamed(spec, sites));
  const std::vector<const Site*> eligible = Eligible(spec, sites);
  if (eligible.empty()) {
    return Fail(ErrorId::kNoSites,
                fmt::format("no cluster that the run asks for has the data set {} with rows to train on", spec.dataset),
                "ote data list");
  }
  OTE_CHECK(Agree(spec, eligible));
  auto state = std::make_unique<State>();
  api::Run& run = state->kept.run;
  run.id = std::move(id);
  run.spec = spec;
  run.request_id = std::move(request_id);
  run.planned_rounds = spec.rounds;
  state->kept.raw_features = eligible.front()->dataset->features;
  run.features = state->kept.raw_features;
  if (spec.task == api::DataTask::kClassification) run.classes = UniteClasses(eligible);
  if (run.classes.size() > learn::kMaxClasses) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("data set {}: the clusters have {} classes together, and at most {} "
                            "are possible",
                            spec.dataset, run.classes.size(), learn::kMaxClasses));
  }
  run.created_at = now.wall;
  run.status = api::RunStatus::kRunning;
  state->kept.schema = eligible.front()->dataset->schema;
  const std::int64_t unit = state->Buffered() ? kFresh : 1;
  std::int64_t rows = 0;
  for (const Site* site : eligible) rows = std::min(kMaxRows, rows + site->dataset->train_rows);
  if (rows > kMaxRows / kHeadroom / unit) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("the clusters have more than {} rows together", kMaxRows / kHeadroom / unit));
  }
  state->kept.capacity = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows * kHeadroom * unit)));

  OTE_TRY(state->deadline_length, ParseDuration(spec.sites.deadline));
  OTE_TRY(state->hand_length, ParseDuration(spec.sites.hand_deadline));
  state->strategy = MakeStrategy(spec.strategy);
  state->limits = std::move(limits);
  state->artifacts = std::move(artifacts);
  state->now = now;
  for (const Site& site : sites) state->sites[site.name] = site;
  if (from != nullptr) {
    OTE_CHECK(CheckStart(run, *from, state->kept.raw_features));
    run.classes = from->classes;
    run.preparation = from->preparation;
    run.features = from->features;
    run.from_digest = spec.from;
  }
  if (from != nullptr || !spec.prepare.Asks()) OTE_CHECK(state->MakeFirstModel(from));
  state->EnterBegin();
  state->BeginPrivacy();
  state->save = true;
  state->Settle();
  *outcome = state->Take();
  return RunMachine(std::move(state));
}

Outcome RunMachine::Handle(const Event& event, const Now& now) {
  State& state = *state_;
  state.now = now;
  const auto visit = [&state](const auto& what) {
    using E = std::decay_t<decltype(what)>;
    if constexpr (std::is_same_v<E, SiteChanged>) {
      state.OnSite(what.site);
    } else if constexpr (std::is_same_v<E, SiteRemoved>) {
      state.OnRemoved(what.name);
    } else if constexpr (std::is_same_v<E, Offered>) {
      state.refused = state.OnOffer(what.site, what.offer, what.wrong);
    } else if constexpr (std::is_same_v<E, Fetched>) {
      state.OnFetched(what);
    } else if constexpr (std::is_same_v<E, FetchFailed>) {
      state.OnFetchFailed(what);
    } else if constexpr (std::is_same_v<E, FetchedSum>) {
      state.OnFetchedSum(what);
    } else if constexpr (std::is_same_v<E, SumFailed>) {
      state.OnSumFailed(what);
    } else if constexpr (std::is_same_v<E, Unmasked>) {
      state.OnUnmasked(what);
    } else if constexpr (std::is_same_v<E, TaskRefused>) {
      state.OnTaskRefused(what);
    } else if constexpr (std::is_same_v<E, Cancelled>) {
      if (!state.Over()) state.End(api::RunStatus::kCancelled, "cancelled by an operator");
    } else {
      static_assert(std::is_same_v<E, TimePassed>);
      state.AskAgain();
    }
  };
  std::visit(visit, event);
  state.Settle();
  return state.Take();
}

const api::Run& RunMachine::View() const noexcept { return state_->kept.run; }

std::vector<std::string> RunMachine::Needed() const { return state_->NeededNow(); }

}  // namespace ote::federate
