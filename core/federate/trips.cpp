#include "core/federate/trips.h"

#include <algorithm>

namespace ote::federate {
namespace {

// Keys, shares, the masked update, the consent to the list of survivors, and what unmasks the sum.
constexpr std::int64_t kMaskSteps = 5;

// Under masks the sites that are reached by hand are not asked (RunMachine::State::OpenMeasuring).
std::int64_t TripsToMeasure(const api::RunSpec& spec) noexcept {
  return spec.masks.kind == api::MaskKind::kNone ? 1 : 0;
}

}  // namespace

std::int64_t TripsOfRound(const api::RunSpec& spec) noexcept {
  return spec.masks.kind == api::MaskKind::kNone ? 1 : kMaskSteps;
}

std::int64_t TripsOfRun(const api::RunSpec& spec, std::int64_t rounds) noexcept {
  return (spec.prepare == api::PrepareSpec() ? 0 : 1) + rounds * TripsOfRound(spec) + TripsToMeasure(spec);
}

std::int64_t TripsLeft(const api::Run& run, const api::Task& task) noexcept {
  const std::int64_t rounds = run.planned_rounds > 0 ? run.planned_rounds : run.spec.rounds;
  if (task.kind == api::TaskKind::kEvaluate) return 1;
  if (task.kind == api::TaskKind::kSurvey) return TripsOfRun(run.spec, rounds);
  return std::max<std::int64_t>(0, rounds - task.round + 1) * TripsOfRound(run.spec) + TripsToMeasure(run.spec);
}

}  // namespace ote::federate
