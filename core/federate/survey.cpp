// Round 0 of a run that prepares its data: asks the sites for statistics of their rows, makes one preparation of them
// for all, and with it the first model, whose inputs are the prepared columns.
//
// What the sites tell is not kept across a restart: they are asked again.
#include <fmt/format.h>

#include <algorithm>

#include "core/federate/run_state.h"
#include "core/learn/prepare.h"
#include "core/learn/statistics.h"

namespace ote::federate {

bool RunMachine::State::TryOpenSurvey() {
  const std::vector<const Site*> pool = PoolFor(0);
  const auto reachable = std::count_if(pool.begin(), pool.end(), [](const Site* s) { return s->reachable; });
  if (reachable < Minimum()) return false;
  OpenRound round;
  round.round = 0;
  round.kind = api::TaskKind::kSurvey;
  round.capacity = kept.capacity;
  BeginRound(std::move(round), deadline_length);
  std::vector<std::string> names;
  for (const Site* site : pool) {
    if (site->reachable) names.push_back(site->name);
  }
  std::sort(names.begin(), names.end());
  Tell("survey-started", "", "asks " + ListNames(names));
  for (const std::string& name : names) Ask(sites.at(name));
  return true;
}

bool RunMachine::State::StepSurvey() {
  const Tally tally = Count();
  if (tally.waiting > 0 && !(PastDeadline() && tally.folded >= Minimum())) {
    const bool late = PastDeadline() && tally.folded < Minimum();
    UpdateStatus(
        late, late ? fmt::format("the survey: {}", Missing(true))
                   : fmt::format("the survey: {} of {} clusters have answered", tally.folded, kept.open->asked.size()));
    return false;
  }
  if (tally.folded < Minimum()) {
    const std::string why = tally.first_failed != nullptr ? FailedText(*tally.first_failed) + "; " : "";
    End(api::RunStatus::kFailed,
        fmt::format("the survey: {}{} of the {} clusters needed have answered", why, tally.folded, Minimum()));
    return true;
  }
  std::vector<api::DataStatistics> parts;
  for (Asked& asked : kept.open->asked) {
    if (asked.answer == Answer::kFolded && asked.statistics) parts.push_back(std::move(*asked.statistics));
  }
  const auto prepare = [&]() -> Result<void> {
    OTE_TRY(const api::DataStatistics merged, learn::MergeStatistics(parts));
    OTE_TRY(kept.run.preparation, learn::PlanPreparation(kept.run.spec.prepare, merged, kept.run.classes));
    kept.run.features = learn::PreparedColumns(kept.run.preparation, kept.raw_features);
    return MakeFirstModel(nullptr);
  };
  const auto prepared = prepare();
  if (!prepared) {
    End(api::RunStatus::kFailed, fmt::format("the survey: {}", prepared.error().message));
    return true;
  }
  EnterModel(&*kept.open);
  Tell("data-prepared", "", fmt::format("{} columns for the model, from {} clusters", kept.run.features, parts.size()));
  ReleaseRound();
  return true;
}

}  // namespace ote::federate
