// Closes a round: makes the next model, keeps checkpoints, and ends the run when it has done enough.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "core/federate/compress/update_reader.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

namespace ote::federate {
namespace {

bool LowerIsBetter(api::Measure measure) { return measure == api::Measure::kLoss || measure == api::Measure::kRmse; }

std::optional<double> ValueOf(api::Measure measure, const api::Metrics& metrics) {
  switch (measure) {
    case api::Measure::kLoss:
      return metrics.loss;
    case api::Measure::kAccuracy:
      return metrics.accuracy;
    case api::Measure::kAuc:
      return metrics.auc;
    case api::Measure::kRmse:
      return metrics.rmse;
  }
  return std::nullopt;
}

// Of the sites' own models, in the order of their names.
api::Metrics MeasuredAtHome(const OpenRound& open) {
  std::vector<api::Metrics> parts;
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded && asked.result.personal.rows > 0) parts.push_back(asked.result.personal);
  }
  return api::WeightedMean(parts);
}

}  // namespace

api::Round RunMachine::State::RecordOf(const OpenRound& open) {
  const api::Run& run = kept.run;
  api::Round record;
  record.round = open.round;
  kept.missed.clear();
  kept.measured_by.clear();
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded) {
      record.participants.push_back(asked.name);
      api::RoundSite site = asked.result;
      site.bytes_up = asked.size;
      site.bytes_down = run.model.size + kept.strategy_size * (strategy->Plan().control ? 1 : 0);
      record.bytes_up += site.bytes_up;
      record.bytes_down += site.bytes_down;
      record.sites.push_back(std::move(site));
      kept.measured_by.push_back(asked.name);
      continue;
    }
    if (asked.answer == Answer::kFailed || asked.answer == Answer::kRefused) record.failed.push_back(asked.failure);
    if (Buffered() && asked.Open() && !PastDeadline()) {
      kept.in_flight.push_back(asked);
      continue;
    }
    record.left_out.push_back(asked.name);
    if (asked.answer == Answer::kLeft) kept.missed.push_back(asked.name);
    if (!asked.Open()) continue;
    kept.missed.push_back(asked.name);
    Tell("site-left-out", asked.name,
         asked.answer == Answer::kOffered ? "its update was still on its way at the deadline"
                                          : "no answer by the deadline");
  }
  kept.missed.insert(kept.missed.end(), open.excused.begin(), open.excused.end());
  std::sort(kept.missed.begin(), kept.missed.end());
  record.started_at = open.started_at;
  record.finished_at = now.wall;
  record.seconds = std::chrono::duration<double>(now.steady - opened).count();
  record.learning_rate = RateOf(open.round);
  return record;
}

std::int64_t RunMachine::State::PoolRows() {
  std::int64_t rows = 0;
  for (const Site* site : Pool()) rows += std::min(site->dataset->train_rows, kMaxRows);
  return rows;
}

RoundFacts RunMachine::State::Facts(std::int64_t pool_rows) const {
  RoundFacts facts;
  double steps = 0;
  std::int64_t weight = 0;
  for (const Asked& asked : kept.open->asked) {
    if (asked.answer != Answer::kFolded) continue;
    facts.rows += ExamplesOf(asked);
    steps += static_cast<double>(ExamplesOf(asked)) * asked.result.steps;
    weight += WeightOf(asked);
  }
  facts.rows = std::max<std::int64_t>(1, facts.rows);  // nobody may have been drawn
  facts.pool_rows = std::max(pool_rows, facts.rows);
  facts.mean_steps = steps / static_cast<double>(facts.rows);
  if (Buffered()) facts.freshness = static_cast<double>(weight) / static_cast<double>(facts.rows * kFresh);
  return facts;
}

Result<void> RunMachine::State::MakeNextModel(const RoundFacts& facts) {
  if (maker->Statistical()) {
    std::vector<double> mean(sum->count());
    sum->Means(0, mean);
    return maker->Advance(model, mean, facts.rows);
  }
  if (strategy->NeedsAll()) {
    Gathered updates;
    for (const Asked& asked : kept.open->asked) {
      if (asked.answer == Answer::kFolded) updates.digests.push_back(asked.result.digest);
    }
    updates.count = UpdateCount();
    OTE_TRY(const std::uint64_t memory, ParseSize(kept.run.spec.strategy.memory));
    updates.memory = static_cast<std::int64_t>(memory);
    updates.read = FormOfUpdate().Compressed() ? ReadQuantized(artifacts.range, FormOfUpdate()) : artifacts.range;
    OTE_CHECK(strategy->Combine(updates, model));
  } else {
    AddNoiseToSum();
    OTE_CHECK(strategy->Apply(*sum, facts, model, strategy_state));
  }
  const bool finite = std::all_of(model.begin(), model.end(), [](float v) { return std::isfinite(v); });
  if (!finite) return Fail(ErrorId::kTrainingFailed, "the next model has weights that are not finite");
  return {};
}

void RunMachine::State::KeepStrategy() {
  if (strategy_state.empty()) return;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(strategy_state.data());
  Bytes state(bytes, bytes + strategy_state.size() * sizeof(float));
  const std::string old = std::exchange(kept.strategy, crypto::DigestOf(state).ToString());
  kept.strategy_size = static_cast<std::int64_t>(state.size());
  durable.emplace_back(StoreArtifact{kept.strategy, std::move(state)});
  DropUnlessNeeded(old);
}

void RunMachine::State::KeepCheckpoint() {
  const api::CheckpointSpec& spec = kept.run.spec.checkpoints;
  auto& all = kept.run.checkpoints;
  all.push_back({static_cast<std::int64_t>(kept.run.rounds.size()), kept.run.model.digest, kept.run.model.size});
  const auto space = static_cast<std::int64_t>(*ParseSize(spec.space));  // checked when the run began
  std::int64_t bytes = 0;
  std::size_t fit = 0;
  while (fit < all.size() && std::cmp_less(fit, spec.keep)) {
    bytes += all[all.size() - 1 - fit].size;
    if (bytes > space) break;
    ++fit;
  }
  const std::vector<api::Checkpoint> gone(all.begin(), all.end() - static_cast<std::ptrdiff_t>(fit));
  all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(fit));
  for (const api::Checkpoint& checkpoint : gone) DropUnlessNeeded(checkpoint.digest);
}

void RunMachine::State::NoteMeasured(const OpenRound& open) {
  api::Run& run = kept.run;
  const api::Metrics metrics = open.masks ? open.masks->metrics : Measured(open);
  if (run.rounds.empty()) {
    Tell("initial-model-measured", "", Describe(metrics));
    return;
  }
  const auto round = static_cast<std::int64_t>(run.rounds.size());
  run.rounds.back().metrics = metrics;
  run.rounds.back().personal = open.masks ? open.masks->personal : MeasuredAtHome(open);
  Tell("model-measured", "", fmt::format("after round {}: {}", round, Describe(metrics)));
  if (metrics.rows == 0) return;
  run.metrics = metrics;
  const auto value = ValueOf(run.spec.stop.metric, metrics);
  if (!value || !std::isfinite(*value)) return;
  const double sign = LowerIsBetter(run.spec.stop.metric) ? 1 : -1;
  if (kept.best_value && !(sign * *value < sign * *kept.best_value - run.spec.stop.min_delta)) {
    ++kept.worse;
    return;
  }
  const std::string old = kept.best.digest;
  kept.best = {round, run.model.digest, run.model.size};
  kept.best_value = value;
  kept.worse = 0;
  run.best_round = round;
  if (old != kept.best.digest) DropUnlessNeeded(old);
}

std::optional<std::string> RunMachine::State::WhyStop() const {
  const api::Run& run = kept.run;
  const api::StopSpec& stop = run.spec.stop;
  if (run.rounds.empty()) return std::nullopt;
  const auto value = ValueOf(stop.metric, run.rounds.back().metrics);
  if (value && stop.target) {
    const bool reached = LowerIsBetter(stop.metric) ? *value <= *stop.target : *value >= *stop.target;
    if (reached) {
      return fmt::format("{} {:.6g} has reached the target {:.6g}", NameOf(stop.metric), *value, *stop.target);
    }
  }
  if (stop.patience > 0 && kept.worse >= stop.patience) {
    return fmt::format("no better {} than that of round {} in {} rounds", NameOf(stop.metric), run.best_round,
                       kept.worse);
  }
  return std::nullopt;
}

void RunMachine::State::CloseTraining() {
  api::Run& run = kept.run;
  NoteMeasured(*kept.open);
  if (auto why = WhyStop()) {
    // What this round brought is not needed: the model that it began with is the one that was measured.
    run.stopped = std::move(*why);
    Tell("run-stopped", "", run.stopped);
    return Complete();
  }
  api::Round record = RecordOf(*kept.open);
  const double began = limits.stopwatch ? limits.stopwatch() : 0;
  const RoundFacts facts = Facts(PoolRows());
  api::RecordEntry entry = EntryOf(record, facts.pool_rows);
  if (const auto made = MakeNextModel(facts); !made) {
    kept.in_flight.clear();
    return End(api::RunStatus::kFailed, fmt::format("round {}: {}", record.round, made.error().message));
  }
  const std::string old_model = run.model.digest;
  SetModelFile();
  KeepStrategy();
  if (limits.stopwatch) record.aggregate_seconds = limits.stopwatch() - began;
  record.model_digest = run.model.digest;
  Tell("round-finished", "",
       fmt::format("{} of {} clusters took part", record.participants.size(), kept.open->asked.size()));
  EnterRound(std::move(entry));
  run.rounds.push_back(std::move(record));
  NoteCost();
  save = true;
  ReleaseRound();
  KeepCheckpoint();
  DropUnlessNeeded(old_model);
}

void RunMachine::State::Finish() {
  NoteMeasured(*kept.open);
  Complete();
}

void RunMachine::State::Complete(std::string message) {
  api::Run& run = kept.run;
  if (run.spec.stop.select == api::Selection::kBest && !kept.best.digest.empty() &&
      kept.best.digest != run.model.digest) {
    run.model.digest = kept.best.digest;
    run.model.size = kept.best.size;
    run.metrics = run.rounds[static_cast<std::size_t>(kept.best.round - 1)].metrics;
    Tell("best-round-taken", "", fmt::format("the model of round {}: {}", kept.best.round, Describe(run.metrics)));
  }
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
  entry.metrics = run.metrics;
  entry.created_at = now.wall;
  durable.emplace_back(RegisterModel{std::move(entry)});
  End(api::RunStatus::kFinished, std::move(message));
}

void RunMachine::State::ForgetAtSites() {
  const bool kept_there =
      Masked() || strategy->Plan().control || kept.run.spec.personalization.kind != api::PersonalKind::kNone;
  if (!kept_there) return;
  for (const auto& [name, site] : sites) {
    if (site.dataset) announced.emplace_back(CloseRound{name, {kept.run.id, Planned() + 1, true}});
  }
}

void RunMachine::State::End(api::RunStatus status, std::string message) {
  api::Run& run = kept.run;
  // A run that failed or was cancelled keeps what it needs to be taken up again; a finished one its model alone.
  std::vector<std::string> kept_until_now = NeededNow();
  run.status = status;
  run.message = std::move(message);
  run.finished_at = now.wall;
  durable.emplace_back(Enter{api::EndOf(run)});
  const std::vector<Asked> at_work = std::exchange(kept.in_flight, {});
  for (const Asked& asked : at_work) announced.emplace_back(CloseRound{asked.name, {run.id, asked.base, true}});
  ReleaseRound();
  if (status == api::RunStatus::kFinished) {
    ForgetAtSites();
    run.checkpoints.clear();
    crypto::Wipe(kept.secret);
    kept.secret.clear();
    for (const std::string& digest : kept_until_now) {
      if (digest != run.model.digest) DropUnlessNeeded(digest);
    }
  }
  save = true;
  Tell(fmt::format("run-{}", NameOf(status)), "", run.message);
  sum.reset();
  model = {};
  strategy_state = {};
  announced.emplace_back(ote::federate::Over{});
}

}  // namespace ote::federate
