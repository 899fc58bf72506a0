#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/units.h"
#include "core/federate/model_file.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

std::string Describe(const api::Metrics& metrics) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::optional<double>& value) {
    if (value) out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", name, *value);
  };
  add("loss", metrics.loss);
  add("accuracy", metrics.accuracy);
  add("auc", metrics.auc);
  add("rmse", metrics.rmse);
  return out.empty() ? "not measured" : fmt::format("{} on {} rows", out, metrics.rows);
}

// What the sites of a round measured, put together in the order of their names.
api::Metrics Measured(const OpenRound& open) {
  std::vector<api::Metrics> parts;
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded && asked.result.metrics.rows > 0) parts.push_back(asked.result.metrics);
  }
  return api::WeightedMean(parts);
}

}  // namespace

Asked* OpenRound::Find(std::string_view name) noexcept {
  const auto it = std::lower_bound(asked.begin(), asked.end(), name,
                                   [](const Asked& a, std::string_view n) { return std::string_view(a.name) < n; });
  return it != asked.end() && it->name == name ? &*it : nullptr;
}

void RunMachine::State::SetModelFile() {
  ModelFile about;
  about.spec = kept.run.spec.model;
  about.task = kept.run.spec.task;
  about.features = kept.run.features;
  about.classes = kept.run.classes;
  about.layout = layout;
  Bytes file = MakeModelFile(about, model);
  kept.run.model = {crypto::DigestOf(file).ToString(), static_cast<std::int64_t>(file.size()),
                    static_cast<std::int64_t>(model.size())};
  durable.emplace_back(StoreArtifact{kept.run.model.digest, std::move(file)});
}

void RunMachine::State::BeginRound(OpenRound round, std::chrono::milliseconds length) {
  round.started_at = now.wall;
  kept.open = std::move(round);
  opened = now.steady;
  deadline = now.steady + length;
  fetching.clear();
  spooled_bytes = 0;
  save = true;
}

bool RunMachine::State::TryOpen() {
  const auto next = static_cast<std::int64_t>(kept.run.rounds.size()) + 1;
  std::vector<const Site*> pool = PoolFor(next);
  const auto reachable = std::count_if(pool.begin(), pool.end(), [](const Site* s) { return s->reachable; });
  if (reachable < Minimum()) return false;

  OpenRound round;
  round.round = next;
  const bool all = kept.run.spec.sites.fraction >= 1.0;
  std::erase_if(pool, [this, &round, all](const Site* site) {
    const bool away = !site->reachable && std::binary_search(kept.missed.begin(), kept.missed.end(), site->name);
    if (away && all) round.excused.push_back(site->name);
    return away;
  });
  const auto share = std::llround(kept.run.spec.sites.fraction * static_cast<double>(pool.size()));
  const auto wanted =
      std::min<std::size_t>(pool.size(), static_cast<std::size_t>(std::max<std::int64_t>(share, Minimum())));
  pool.resize(wanted);

  std::int64_t rows = 0;
  for (const Site* site : pool) rows += std::min(site->dataset->train_rows, kMaxRows - std::min(rows, kMaxRows));
  if (rows >= kMaxRows) {
    End(api::RunStatus::kFailed, fmt::format("round {}: the clusters have {} rows or more", next, kMaxRows));
    return true;
  }
  // Data sets may grow while a run goes on; the grid follows them, in powers of two.
  if (rows > kept.capacity) kept.capacity = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows)));
  round.capacity = kept.capacity;
  const Grid grid = *ChooseGrid(round.capacity);
  if (sum && sum->grid() == grid) {
    sum->Clear();
  } else {
    sum.reset();  // the old one first: two at a time would be twice the memory
    sum.emplace(model.size(), grid);
  }

  BeginRound(std::move(round), deadline_length);
  std::vector<std::string> names;
  for (const Site* site : pool) names.push_back(site->name);
  std::sort(names.begin(), names.end());
  Tell("round-started", "", "asks " + ListNames(names));
  for (const std::string& name : names) Ask(sites.at(name));
  return true;
}

void RunMachine::State::ReleaseRound() {
  if (!kept.open) return;
  const OpenRound round = std::move(*kept.open);
  kept.open.reset();
  fetching.clear();
  for (const Asked& asked : round.asked) announced.emplace_back(CloseRound{asked.name, {kept.run.id, round.round}});
  for (const Spooled& spooled : round.spooled) DropUnlessNeeded(spooled.digest);
  if (!round.checkpoint.empty()) DropUnlessNeeded(round.checkpoint);
}

void RunMachine::State::CloseTraining() {
  const OpenRound& open = *kept.open;
  api::Run& run = kept.run;
  api::Round record;
  record.round = open.round;
  kept.missed.clear();
  kept.measured_by.clear();
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded) {
      record.participants.push_back(asked.name);
      record.sites.push_back(asked.result);
      record.bytes_up += asked.size;
      record.bytes_down += run.model.size;
      kept.measured_by.push_back(asked.name);
      continue;
    }
    record.left_out.push_back(asked.name);
    if (asked.Open()) {
      kept.missed.push_back(asked.name);
      Tell("site-left-out", asked.name,
           asked.answer == Answer::kOffered ? "its update was still on its way at the deadline"
                                            : "no answer by the deadline");
    }
  }
  kept.missed.insert(kept.missed.end(), open.excused.begin(), open.excused.end());
  std::sort(kept.missed.begin(), kept.missed.end());
  record.started_at = open.started_at;
  record.finished_at = now.wall;
  record.seconds = std::chrono::duration<double>(now.steady - opened).count();

  const api::Metrics before = Measured(open);
  if (open.round == 1) {
    Tell("initial-model-measured", "", Describe(before));
  } else {
    run.rounds.back().metrics = before;
    run.metrics = before;
    Tell("model-measured", "", fmt::format("after round {}: {}", open.round - 1, Describe(before)));
  }

  MakeStrategy(run.spec.strategy)->Apply(*sum, model);
  const std::string old_model = run.model.digest;
  SetModelFile();
  record.model_digest = run.model.digest;
  Tell("round-finished", "", fmt::format("{} of {} clusters took part", record.participants.size(), open.asked.size()));
  run.rounds.push_back(std::move(record));
  save = true;
  ReleaseRound();
  DropUnlessNeeded(old_model);
}

void RunMachine::State::OpenMeasuring() {
  OpenRound round;
  round.round = kept.run.spec.rounds + 1;
  round.kind = api::TaskKind::kEvaluate;
  round.capacity = kept.capacity;
  sum.reset();
  BeginRound(std::move(round), std::min(deadline_length, kMeasuring));
  for (const std::string& name : kept.measured_by) {
    const auto it = sites.find(name);
    if (it != sites.end() && it->second.dataset && it->second.dataset->test_rows > 0) Ask(it->second);
  }
  Tell("measuring", "", fmt::format("asks {} clusters to measure the finished model", kept.open->asked.size()));
}

void RunMachine::State::Finish() {
  api::Run& run = kept.run;
  const api::Metrics metrics = Measured(*kept.open);
  run.rounds.back().metrics = metrics;
  run.metrics = metrics;
  Tell("model-measured", "", fmt::format("after round {}: {}", run.rounds.size(), Describe(metrics)));
  api::ModelEntry entry;
  entry.name = run.spec.name.empty() ? run.id : run.spec.name;
  entry.run = run.id;
  entry.digest = run.model.digest;
  entry.size = run.model.size;
  entry.parameters = run.model.parameters;
  entry.model = run.spec.model;
  entry.task = run.spec.task;
  entry.features = run.features;
  entry.classes = run.classes;
  entry.metrics = metrics;
  entry.created_at = now.wall;
  durable.emplace_back(RegisterModel{std::move(entry)});
  End(api::RunStatus::kFinished, "");
}

void RunMachine::State::End(api::RunStatus status, std::string message) {
  api::Run& run = kept.run;
  run.status = status;
  run.message = std::move(message);
  run.finished_at = now.wall;
  ReleaseRound();
  save = true;
  Tell(fmt::format("run-{}", NameOf(status)), "", run.message);
  if (status != api::RunStatus::kFinished) DropUnlessNeeded(run.model.digest);
  sum.reset();
  model = {};
  announced.emplace_back(ote::federate::Over{});
}

void RunMachine::State::UpdateStatus(bool paused, std::string message) {
  const bool was = kept.run.status == api::RunStatus::kPaused;
  kept.run.status = paused ? api::RunStatus::kPaused : api::RunStatus::kRunning;
  kept.run.message = std::move(message);
  if (paused && !was) Tell("run-paused", "", kept.run.message);
  if (!paused && was) Tell("run-resumed", "", "");
}

RunMachine::State::Tally RunMachine::State::Count() const {
  Tally tally;
  for (const Asked& asked : kept.open->asked) {
    tally.folded += asked.answer == Answer::kFolded ? 1 : 0;
    tally.waiting += asked.Open() ? 1 : 0;
    tally.able += asked.answer == Answer::kFolded || asked.answer == Answer::kOffered ||
                          (asked.answer == Answer::kPending && asked.reachable)
                      ? 1
                      : 0;
    const bool failed = asked.answer == Answer::kFailed || asked.answer == Answer::kRefused;
    if (failed && tally.first_failed == nullptr) tally.first_failed = &asked;
  }
  return tally;
}

bool RunMachine::State::StepTraining() {
  const OpenRound& open = *kept.open;
  Tally tally = Count();
  std::int64_t spare = 0;
  if (tally.folded + tally.waiting < Minimum()) {
    spare = TopUp(tally.folded + tally.waiting);
    tally = Count();
  }
  if (tally.folded >= Minimum() && (tally.waiting == 0 || PastDeadline())) {
    CloseTraining();
    return true;
  }
  const std::int64_t left = tally.folded + tally.waiting + spare;
  if (left < Minimum() && tally.first_failed != nullptr) {
    End(api::RunStatus::kFailed,
        fmt::format("round {}: {} failed in training: {}; {} of the {} clusters needed are left", open.round,
                    tally.first_failed->name, tally.first_failed->error, left, Minimum()));
    return true;
  }
  if (tally.able < Minimum() || (PastDeadline() && tally.folded < Minimum())) {
    const bool late = PastDeadline() && tally.able >= Minimum();
    UpdateStatus(true, fmt::format("round {}: {}", open.round, Missing(late)));
  } else {
    UpdateStatus(false, fmt::format("round {} of {}: {} of {} clusters have answered", open.round, kept.run.spec.rounds,
                                    tally.folded, open.asked.size()));
  }
  return false;
}

void RunMachine::State::Settle() {
  while (!Over()) {
    if (!kept.open) {
      if (kept.run.rounds.empty()) WidenClasses();
      if (static_cast<std::int64_t>(kept.run.rounds.size()) >= kept.run.spec.rounds) {
        OpenMeasuring();
      } else if (!TryOpen()) {
        UpdateStatus(true, Missing(false));
        break;
      }
      continue;
    }
    if (kept.open->kind == api::TaskKind::kTrain) {
      if (!StepTraining()) break;
      continue;
    }
    const bool done =
        std::none_of(kept.open->asked.begin(), kept.open->asked.end(), [](const Asked& a) { return a.Open(); });
    if (done || PastDeadline()) {
      Finish();
      break;
    }
    UpdateStatus(false, fmt::format("measuring the finished model: {} of {} clusters have answered", Count().folded,
                                    kept.open->asked.size()));
    break;
  }
  StartFetches();
  SetWake();
}

void RunMachine::State::SetWake() {
  std::optional<std::chrono::milliseconds> at;
  if (!Over() && kept.open) {
    if (!PastDeadline()) at = deadline;
    for (const Asked& asked : kept.open->asked) {
      if (asked.ask_again && (!at || *asked.ask_again < *at)) at = asked.ask_again;
    }
  }
  if (at && at != wake) announced.emplace_back(WakeAt{*at});
  wake = at;
}

}  // namespace ote::federate
