// Makes a recorded round again, by the code that made it: a run is put together that has all of the round's updates in
// its sum, and closes it.
#include <fmt/format.h>

#include "core/federate/plan.h"
#include "core/federate/run_state.h"

namespace ote::federate {

Result<RunMachine::Replayed> RunMachine::Replay(const api::RunSpec& spec, const api::RecordRound& round,
                                                Artifacts artifacts) {
  if (round.aggregate != api::AggregateKind::kUpdates) {
    return Fail(ErrorId::kUnsupported, "its updates are masked, and only their sum was known");
  }
  if (spec.privacy.kind != api::NoiseKind::kNone && spec.privacy.kind != api::NoiseKind::kLocal) {
    return Fail(ErrorId::kUnsupported, "noise was added that nobody keeps");
  }
  OTE_CHECK(CheckPlan(spec));
  if (round.sites.empty() || round.capacity < 1 || round.capacity > kMaxRows || round.pool_rows < 0) {
    return Fail(ErrorId::kStoreCorrupt, "its numbers cannot be");
  }
  State state;
  state.artifacts = std::move(artifacts);
  api::Run& run = state.kept.run;
  run.spec = spec;
  run.model.digest = round.model_before;
  OTE_TRY(const Bytes file, state.artifacts.whole(round.model_before));
  {
    OTE_TRY(const ModelFile model, ReadModelFile(file));
    OTE_TRY(const auto maker, model.Make());
    run.features = model.features;
    run.classes = model.classes;
    run.preparation = model.preparation;
    run.planned_rounds = maker->Rounds(spec.rounds);
  }
  state.kept.surveyed = true;
  state.kept.strategy = round.state_before;
  OTE_CHECK(state.LoadModel());
  OpenRound open;
  open.round = round.round;
  open.capacity = round.capacity;
  std::int64_t rows = 0;
  for (const api::RecordedSite& site : round.sites) {
    Asked asked;
    asked.name = site.name;
    asked.answer = Answer::kFolded;
    asked.base = site.base;
    asked.size = site.size;
    asked.result.name = site.name;
    asked.result.examples = site.examples;
    asked.result.digest = site.digest;
    asked.result.steps = site.steps;
    asked.result.staleness = round.round - site.base;
    if (site.examples < 1 || site.examples > kMaxRows - rows || asked.result.staleness < 0) {
      return Fail(ErrorId::kStoreCorrupt, fmt::format("the numbers of {} cannot be", site.name));
    }
    rows += site.examples;
    if (site.weight != state.WeightOf(asked)) {
      return Fail(ErrorId::kStoreCorrupt, fmt::format("the weight of {} is not that of its examples", site.name));
    }
    open.spooled.push_back({site.digest, site.weight});
    open.asked.push_back(std::move(asked));
  }
  state.kept.open = std::move(open);
  OTE_CHECK(state.LoadSum());
  OTE_CHECK(state.MakeNextModel(state.Facts(round.pool_rows)));
  state.SetModelFile();
  state.KeepStrategy();
  return Replayed{run.model.digest, state.kept.strategy};
}

}  // namespace ote::federate
