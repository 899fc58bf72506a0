#include "core/federate/plan.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

namespace ote::federate {
namespace {

api::RunSpec Good() {
  api::RunSpec spec;
  spec.dataset = "digits";
  return spec;
}

struct Refused {
  std::string field;   // the message begins with it
  std::string reason;  // and contains this
  std::function<void(api::RunSpec&)> choose;
};

TEST_CASE("choices that cannot be combined are refused with the field, the reason and what to do instead") {
  using S = api::StrategyKind;
  const std::vector<Refused> cases = {
      {"training.optimizer", "adam's steps",
       [](auto& s) { s.strategy.kind = S::kScaffold, s.training.optimizer = api::OptimizerKind::kAdam; }},
      {"training.optimizer", "adam's steps",
       [](auto& s) { s.strategy.kind = S::kFedNova, s.training.optimizer = api::OptimizerKind::kAdam; }},
      {"trainer", "takes its steps unseen",
       [](auto& s) { s.strategy.kind = S::kScaffold, s.trainer = api::TrainerKind::kExec; }},
      {"strategy.clipNorm", "bounds what one site can do",
       [](auto& s) { s.strategy.kind = S::kMedian, s.strategy.clip_norm = 1; }},
      {"strategy.clipNorm", "norm means something else",
       [](auto& s) { s.strategy.kind = S::kFedNova, s.strategy.clip_norm = 1; }},
      {"strategy.buffer", "closes a round before",
       [](auto& s) { s.strategy.kind = S::kFedBuff, s.strategy.buffer = 2, s.sites.minimum = 3; }},
      {"sites.minimum", "krum needs 5 updates",
       [](auto& s) { s.strategy.kind = S::kKrum, s.strategy.byzantine = 1, s.sites.minimum = 4; }},
      {"sites.minimum", "multi-krum needs 3 updates", [](auto& s) { s.strategy.kind = S::kMultiKrum; }},
      {"strategy.keep", "may be lies",
       [](auto& s) {
         s.strategy.kind = S::kMultiKrum, s.strategy.byzantine = 1, s.strategy.keep = 5, s.sites.minimum = 5;
       }},
      {"personalization.layers", "needs the layers",
       [](auto& s) { s.personalization.kind = api::PersonalKind::kLocalLayers; }},
      {"personalization.kind", "another model",
       [](auto& s) {
         s.strategy.kind = S::kScaffold, s.personalization.kind = api::PersonalKind::kLocalLayers,
         s.personalization.layers = {"layers.1"};
       }},
      {"trainer", "site's own model",
       [](auto& s) { s.personalization.kind = api::PersonalKind::kDitto, s.trainer = api::TrainerKind::kAny; }},
      {"prepare", "brings that along", [](auto& s) { s.from = "digits", s.prepare.standardize = true; }},
      {"prepare.classWeights", "has no classes",
       [](auto& s) {
         s.task = api::DataTask::kRegression, s.model.kind = api::ModelKind::kLinear,
         s.prepare.class_weights = api::ClassWeights::kBalanced;
       }},
      {"stop.metric", "classification has no rmse",
       [](auto& s) { s.stop.metric = api::Measure::kRmse, s.stop.patience = 2; }},
      {"stop.metric", "regression has no auc",
       [](auto& s) {
         s.task = api::DataTask::kRegression, s.model.kind = api::ModelKind::kLinear,
         s.stop.metric = api::Measure::kAuc, s.stop.target = 1;
       }},
      {"model.kind", "linear is for regression", [](auto& s) { s.model.kind = api::ModelKind::kLinear; }},
      {"model.norm", "does not federate",
       [](auto& s) { s.model.kind = api::ModelKind::kCnn, s.model.norm = api::Normalization::kBatch; }},
  };
  CHECK(CheckPlan(Good()));
  for (const Refused& c : cases) {
    INFO(c.field << ": " << c.reason);
    api::RunSpec spec = Good();
    c.choose(spec);
    const auto done = CheckPlan(spec);
    REQUIRE_FALSE(done);
    CHECK(done.error().id == ErrorId::kRunInvalid);
    CHECK_THAT(done.error().message, Catch::StartsWith(c.field + ":"));
    CHECK_THAT(done.error().message, Catch::Contains(c.reason));
    CHECK_FALSE(done.error().hint.empty());
  }
}

TEST_CASE("a selector that cannot be read, or is empty, is refused with its place") {
  const auto check = [](const std::string& selector) {
    auto spec = Good();
    spec.sites.selector.text = selector;
    return CheckPlan(spec);
  };
  CHECK(check("region=eu,tier!=lab"));
  for (const std::string empty : {"", "  "}) {
    REQUIRE_FALSE(check(empty));
    CHECK(check(empty).error().id == ErrorId::kSelectorEmpty);
    CHECK_THAT(check(empty).error().message, Catch::StartsWith("sites.selector: "));
  }
  REQUIRE_FALSE(check("region=eu,tier"));
  CHECK(check("region=eu,tier").error().id == ErrorId::kSelectorInvalid);
  CHECK_THAT(check("region=eu,tier").error().message, Catch::StartsWith("sites.selector: selector, at column 15"));
}

TEST_CASE("layers that stay at the site must be there, and not be all") {
  const learn::Layout layout = {{"layers.0.weight", {2, 2}}, {"layers.0.bias", {2}}, {"layers.10.weight", {2, 2}}};
  api::PersonalSpec spec;
  spec.kind = api::PersonalKind::kLocalLayers;
  spec.layers = {"layers.0"};
  CHECK(CheckLayers(spec, layout));
  CHECK(IsLocal(spec, layout[1]));
  CHECK_FALSE(IsLocal(spec, layout[2]));
  spec.layers = {"layers.1"};  // not layers.10
  const auto unknown = CheckLayers(spec, layout);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message == "personalization.layers: the model has no tensor layers.1");
  CHECK_THAT(unknown.error().hint, Catch::Contains("layers.10.weight"));
  spec.layers = {"layers"};
  CHECK_FALSE(CheckLayers(spec, layout));
}

TEST_CASE("the memory of a round is told before it starts") {
  api::RunSpec spec = Good();
  CHECK(DescribeMemory(spec, 1000, 1 << 20) ==
        "a round takes 12.0 MiB of memory at the root, however many clusters there are");
  spec.strategy.kind = api::StrategyKind::kFedAdam;
  CHECK_THAT(DescribeMemory(spec, 1000, 1 << 20), Catch::Contains("20.0 MiB"));
  spec.strategy.kind = api::StrategyKind::kMedian;
  spec.strategy.memory = "64MiB";
  CHECK(DescribeMemory(spec, 1000, 1 << 20) ==
        "median needs every update at once: a round keeps 1000 updates of 4.0 MiB on disk and reads them through 64.0 "
        "MiB of memory");
  CHECK_THAT(DescribeMemory(spec, 4, 1 << 20), Catch::Contains("through 16.0 MiB"));
  spec.compression.kind = api::CompressionKind::kQuantize;
  CHECK_THAT(DescribeMemory(spec, 4, 1 << 20), Catch::Contains("4 updates of 1.0 MiB on disk"));
  CHECK_THAT(DescribeMemory(spec, 4, 1 << 20), Catch::Contains("through 16.0 MiB"));
}

TEST_CASE("the size of an update is told before it starts, and what it would be without compression") {
  api::RunSpec spec = Good();
  CHECK(DescribeUpdate(spec, 1 << 20) == "an update is 4.0 MiB");
  spec.compression.kind = api::CompressionKind::kTopK;
  CHECK(DescribeUpdate(spec, 1 << 20) == "an update is 52.0 KiB, and 4.0 MiB without compression");
  spec.compression.kind = api::CompressionKind::kQuantize;
  spec.strategy.kind = api::StrategyKind::kScaffold;
  CHECK(DescribeUpdate(spec, 1 << 20) == "an update is 2.0 MiB, and 8.0 MiB without compression");
  spec.model.kind = api::ModelKind::kGbt;
  CHECK(DescribeUpdate(spec, 1 << 20).empty());
}

TEST_CASE("a compression that cannot be is refused with its field") {
  const auto refused = [](api::CompressionSpec compression) {
    api::RunSpec spec = Good();
    spec.compression = compression;
    const auto checked = CheckPlan(spec);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().id == ErrorId::kRunInvalid);
    return checked.error().message;
  };
  CHECK(refused({api::CompressionKind::kQuantize, 6, 0.01}) == "compression.bits: 4 or 8, not 6");
  CHECK(refused({api::CompressionKind::kTopK, 8, 0}) == "compression.fraction: above 0 and at most 0.5, not 0");
  CHECK_THAT(refused({api::CompressionKind::kTopK, 8, std::nan("")}), Catch::StartsWith("compression.fraction: "));
  CHECK_THAT(refused({api::CompressionKind::kTopK, 8, 0.51}), Catch::StartsWith("compression.fraction: "));
}

}  // namespace
}  // namespace ote::federate
