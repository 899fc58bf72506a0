// Rounds that are made again from what is kept.
#include "core/federate/strategy.h"
#include "test/unit/record/record_fixture.h"

using namespace ote;
using Catch::Matchers::Contains;
using test::Why;

namespace {

api::RunSpec Keeping(api::StrategyKind strategy = api::StrategyKind::kFedAvg) {
  auto spec = fake::MakeSpec(3, 2);
  spec.record.updates = api::KeepUpdates::kKeep;
  spec.strategy.kind = strategy;
  return spec;
}

std::vector<federate::Site> FiveSites() {
  return {fake::MakeSite("a", 30), fake::MakeSite("b", 50), fake::MakeSite("c", 40), fake::MakeSite("d", 70),
          fake::MakeSite("e", 20)};
}

}  // namespace

TEST_CASE("every strategy's rounds are made again to the same model") {
  for (const federate::StrategyInfo* info : federate::AllStrategies()) {
    auto spec = Keeping(info->kind);
    spec.strategy.buffer = 3;
    spec.sites.minimum = info->kind == api::StrategyKind::kFedBuff ? 2 : 5;
    if (info->kind == api::StrategyKind::kFedAvg) spec.strategy.clip_norm = 1.5;
    INFO(NameOf(info->kind));
    test::RecordedRun run(spec, FiveSites());
    run.federation.limits.spool_bytes = 100;  // sums are checkpointed, and updates let go of, on the way
    run.Play();
    const auto audit = run.Recompute(run.File());
    INFO(Why(audit));
    CHECK(audit.holds);
    CHECK(audit.status == "finished");
    CHECK(audit.recomputed == 4);
  }
}

TEST_CASE("a run that prepares its data has its survey in the record, and its rounds are made again") {
  auto spec = Keeping();
  spec.prepare.standardize = true;
  test::RecordedRun run(spec);
  run.Play();
  const auto audit = run.Recompute(run.File());
  INFO(Why(audit));
  CHECK(audit.holds);
  REQUIRE(audit.entries.size() == 6);
  CHECK(audit.entries[1].kind == "model");
  CHECK(audit.entries[1].clusters == std::vector<std::string>{"a", "b"});
  CHECK(audit.recomputed == 4);
}

TEST_CASE("what is not kept is said not to be made again") {
  auto spec = Keeping();
  spec.record.updates = api::KeepUpdates::kDigests;
  test::RecordedRun run(spec);
  run.Play();
  const auto audit = run.Recompute(run.File());
  CHECK(audit.holds);
  CHECK(audit.recomputed == 0);
  CHECK(audit.entries[1].result == "not recomputable");
}

TEST_CASE("a model that the updates do not make is found, though the root signed it") {
  test::RecordedRun run(Keeping());
  run.Play();
  // A root that puts another model in the place of the second round's.
  auto entries = run.federation.entries;
  const std::string other = entries[1].round->model;
  entries[2].round->model = other;
  entries[3].round->model_before = other;
  const auto audit = run.Recompute(run.File(entries));
  CHECK(run.Check(run.File(entries)).holds);  // by its form alone
  REQUIRE(audit.broken.has_value());
  CHECK_THAT(audit.broken->message, Contains("entry 2 (round 2)") && Contains("its updates make the model"));
}

TEST_CASE("a kept update that is gone or damaged is found") {
  test::RecordedRun run(Keeping());
  run.Play();
  const Bytes file = run.File();
  const std::string update = run.federation.entries[2].round->sites[1].digest;
  const Bytes whole = run.federation.artifacts.at(update);
  run.federation.artifacts.erase(update);
  auto audit = run.Recompute(file);
  REQUIRE(audit.broken.has_value());
  CHECK_THAT(audit.broken->message, Contains("entry 2 (round 2)"));
  run.federation.artifacts[update] = whole;
  CHECK(run.Recompute(file).holds);
  run.federation.artifacts[update][0] ^= 1;  // too little for the model to change
  audit = run.Recompute(file);
  REQUIRE(audit.broken.has_value());
  CHECK_THAT(audit.broken->message, Contains("entry 2 (round 2)"));
}

TEST_CASE("a first model that is not of the run's seed is found") {
  auto spec = Keeping();
  test::RecordedRun run(spec);
  run.Play();
  auto entries = run.federation.entries;
  entries[0].begin->spec.seed = 7;
  const auto audit = run.Recompute(run.File(entries));
  REQUIRE(audit.broken.has_value());
  CHECK_THAT(audit.broken->message, Contains("entry 0") && Contains("seed"));
}

TEST_CASE("a run that keeps its updates needs them until its round is closed") {
  test::RecordedRun run(Keeping(), FiveSites());
  run.federation.keep_all = false;
  run.federation.limits.spool_bytes = 100;
  REQUIRE(run.federation.Start());
  std::size_t most = 0;
  while (run.federation.entries.size() < 2 && run.federation.Step()) {
    std::size_t updates = 0;
    for (const auto& [digest, bytes] : run.federation.artifacts) updates += bytes.size() == 60 ? 1U : 0U;
    most = std::max(most, updates);
  }
  CHECK(most >= 4);
}
