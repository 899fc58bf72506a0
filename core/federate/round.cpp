#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/units.h"
#include "core/federate/model_file.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {

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

api::Metrics Measured(const OpenRound& open) {
  std::vector<api::Metrics> parts;
  for (const Asked& asked : open.asked) {
    const bool present = asked.base == open.round;  // and not of an older model
    if (asked.answer == Answer::kFolded && present && asked.result.metrics.rows > 0)
      parts.push_back(asked.result.metrics);
  }
  return api::WeightedMean(parts);
}

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
  about.layout = maker->GetLayout();
  about.preparation = kept.run.preparation;
  Bytes file = MakeModelFile(about, model);
  kept.run.model = {crypto::DigestOf(file).ToString(), static_cast<std::int64_t>(file.size()),
                    static_cast<std::int64_t>(model.size())};
  durable.emplace_back(StoreArtifact{kept.run.model.digest, std::move(file)});
}

void RunMachine::State::BeginRound(OpenRound round, std::chrono::milliseconds length) {
  round.started_at = now.wall;
  if (kept.run.spec.privacy.clipping == api::ClipKind::kAdaptive) round.count_noise = CountNoise();
  kept.open = std::move(round);
  opened = now.steady;
  deadline = now.steady + length;
  hand_deadline = now.steady + std::max(length, hand_length);
  // What is on its way from sites at work for an older round still arrives.
  std::erase_if(fetching, [this](const Fetching& f) { return kept.open->Find(f.site) == nullptr; });
  summing.clear();
  spooled_bytes = 0;
  save = true;
}

std::chrono::milliseconds RunMachine::State::Deadline() const noexcept {
  const bool carried = kept.open && std::any_of(kept.open->asked.begin(), kept.open->asked.end(),
                                                [](const Asked& a) { return a.by_hand && a.Open(); });
  return carried ? std::max(deadline, hand_deadline) : deadline;
}

bool RunMachine::State::TryOpen() {
  const auto next = static_cast<std::int64_t>(kept.run.rounds.size()) + 1;
  if (auto why = TooCostly()) {
    kept.run.stopped = std::move(*why);
    Tell("run-stopped", "", kept.run.stopped);
    Complete();
    return true;
  }
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
  if (DrawnByChance()) {
    DrawSites(pool, next);
  } else {
    pool.resize(wanted);
  }

  const std::int64_t unit = Buffered() ? kFresh : 1;
  const std::int64_t most = kMaxRows / unit;
  std::int64_t rows = 0;
  for (const Site* site : pool) rows += std::min(site->dataset->train_rows, most - std::min(rows, most));
  if (rows >= most) {
    End(api::RunStatus::kFailed, fmt::format("round {}: the clusters have {} rows or more", next, most));
    return true;
  }
  rows *= unit;
  // Data sets may grow while a run goes on; the grid follows them, in powers of two.
  if (rows > kept.capacity) kept.capacity = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows)));
  round.capacity = kept.capacity;
  // Sites that are at work for an older round stay in it, as long as what they make would still count.
  std::vector<Asked> in_flight = std::exchange(kept.in_flight, {});
  std::erase_if(in_flight, [&](const Asked& asked) {
    const bool in_pool = std::any_of(pool.begin(), pool.end(), [&](const Site* s) { return s->name == asked.name; });
    return !in_pool || next - asked.base > kept.run.spec.strategy.max_staleness;
  });
  round.asked = std::move(in_flight);  // sorted by name, as it was kept
  BeginRound(std::move(round), deadline_length);
  PrepareSum();
  if (Masked()) BeginMasks();
  std::vector<std::string> names;
  for (const Site* site : pool) {
    if (kept.open->Find(site->name) == nullptr) names.push_back(site->name);
  }
  std::sort(names.begin(), names.end());
  Tell("round-started", "",
       !names.empty()    ? "asks " + ListNames(names)
       : DrawnByChance() ? "nobody was drawn"
                         : "waits for those at work");
  for (const std::string& name : names) Ask(sites.at(name));
  return true;
}

void RunMachine::State::PrepareSum() {
  if (strategy->NeedsAll() || Masked()) return;  // a masked sum is made when its sites are known
  const Grid grid = GridOfSum();
  const auto count = static_cast<std::size_t>(UpdateCount());
  if (sum && sum->grid() == grid && sum->count() == count) {
    sum->Clear();
    return;
  }
  sum.reset();  // the old one first: two at a time would be twice the memory
  sum.emplace(count, grid);
}

void RunMachine::State::ReleaseRound() {
  if (!kept.open) return;
  DropMaskArtifacts();
  const OpenRound round = std::move(*kept.open);
  kept.open.reset();
  summing.clear();
  for (const Asked& asked : round.asked) {
    const bool goes_on = std::any_of(kept.in_flight.begin(), kept.in_flight.end(),
                                     [&asked](const Asked& a) { return a.name == asked.name; });
    if (goes_on) continue;
    std::erase_if(fetching, [&asked](const Fetching& f) { return f.site == asked.name; });
    announced.emplace_back(
        CloseRound{asked.name, {kept.run.id, asked.base, kept.run.status == api::RunStatus::kFinished}});
  }
  for (const Spooled& spooled : round.spooled) DropUnlessNeeded(spooled.digest);
  if (!round.checkpoint.empty()) DropUnlessNeeded(round.checkpoint);
}

void RunMachine::State::OpenMeasuring() {
  OpenRound round;
  round.round = Planned() + 1;
  round.kind = api::TaskKind::kEvaluate;
  round.capacity = kept.capacity;
  sum.reset();
  BeginRound(std::move(round), std::min(deadline_length, kMeasuring));
  // Measures of rows that the root may not learn of are not asked for.
  std::vector<const Site*> asks;
  for (const std::string& name : PrivacyOfTask().HidesFromRoot() ? std::vector<std::string>() : kept.measured_by) {
    const auto it = sites.find(name);
    const bool measures = it != sites.end() && it->second.dataset && it->second.dataset->test_rows > 0;
    // Under masks it takes as many trips as a round, and makes no better model: not by hand.
    if (measures && !(Masked() && it->second.by_hand)) asks.push_back(&it->second);
  }
  if (Masked() && !asks.empty()) {
    if (std::cmp_less(asks.size(), kFewestMasked)) {
      return GiveUp(
          fmt::format("{} of its clusters can be asked, and a sum of masks needs {}", asks.size(), kFewestMasked));
    }
    BeginMasks();
  }
  for (const Site* site : asks) Ask(*site);
  Tell("measuring", "", fmt::format("asks {} clusters to measure the finished model", kept.open->asked.size()));
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

std::string RoundName(const OpenRound& open) {
  return open.kind == api::TaskKind::kSurvey ? "the survey" : fmt::format("round {}", open.round);
}

std::string FailedText(const Asked& asked) {
  const api::SiteFailure& failure = asked.failure;
  return fmt::format("{} failed{}: {}{}", asked.name,
                     failure.phase.empty() ? "" : fmt::format(" in phase {}", failure.phase), asked.error,
                     failure.hint.empty() ? "" : fmt::format(" ({})", failure.hint));
}

bool RunMachine::State::StepTraining() {
  const OpenRound& open = *kept.open;
  Tally tally = Count();
  std::int64_t spare = 0;
  if (tally.folded + tally.waiting < RoundMinimum()) {
    spare = TopUp(tally.folded + tally.waiting);
    tally = Count();
  }
  const auto buffer = Buffered() ? kept.run.spec.strategy.buffer : std::numeric_limits<std::int64_t>::max();
  const bool full = tally.folded >= std::max(buffer, RoundMinimum());
  if (tally.folded >= RoundMinimum() && (tally.waiting == 0 || (PastDeadline() && !Holds()) || full)) {
    CloseTraining();
    return true;
  }
  const std::int64_t left = tally.folded + tally.waiting + spare;
  if (left < RoundMinimum() && tally.first_failed != nullptr) {
    End(api::RunStatus::kFailed, fmt::format("{}: {}; {} of the {} clusters needed are left", RoundName(open),
                                             FailedText(*tally.first_failed), left, RoundMinimum()));
    return true;
  }
  if (tally.able < RoundMinimum() || (PastDeadline() && !Holds() && tally.folded < RoundMinimum())) {
    const bool late = PastDeadline() && tally.able >= RoundMinimum();
    UpdateStatus(true, fmt::format("{}: {}", RoundName(open), Missing(late)));
  } else {
    UpdateStatus(false, fmt::format("round {} of {}: {} of {} clusters have answered", open.round, Planned(),
                                    tally.folded, open.asked.size()));
  }
  return false;
}

void RunMachine::State::Settle() {
  while (!Over()) {
    if (!kept.open) {
      if (kept.run.rounds.empty()) WidenClasses();
      if (!kept.surveyed) {
        if (!TryOpenSurvey()) {
          UpdateStatus(true, Missing(false));
          break;
        }
        continue;
      }
      if (static_cast<std::int64_t>(kept.run.rounds.size()) >= Planned()) {
        OpenMeasuring();
      } else if (!TryOpen()) {
        UpdateStatus(true, Missing(false));
        break;
      }
      continue;
    }
    if (kept.open->masks || kept.open->kind == api::TaskKind::kTrain) {
      if (!(kept.open->masks ? StepMasked() : StepTraining())) break;
      continue;
    }
    if (kept.open->kind == api::TaskKind::kSurvey) {
      if (!StepSurvey()) break;
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
    if (!PastDeadline()) at = Deadline();
    if (Folds() && now.steady < deadline) at = deadline;
    for (const Asked& asked : kept.open->asked) {
      if (asked.ask_again && (!at || *asked.ask_again < *at)) at = asked.ask_again;
    }
  }
  if (at && at != wake) announced.emplace_back(WakeAt{*at});
  wake = at;
}

}  // namespace ote::federate
