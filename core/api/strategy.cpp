#include "core/api/strategy.h"

#include "core/api/range.h"
#include "core/base/units.h"

namespace ote::api {
namespace {

Result<void> CheckSize(std::string_view field, const std::string& text) {
  const auto size = ParseSize(text);
  if (!size) return Fail(ErrorId::kRunInvalid, fmt::format("{}: {}", field, size.error().message));
  return CheckRange<std::uint64_t>(field, *size, 1, std::uint64_t{1} << 50);
}

}  // namespace

Result<void> Validate(const StrategySpec& spec) {
  if (spec.server_learning_rate) {
    OTE_CHECK(CheckRange("strategy.serverLearningRate", *spec.server_learning_rate, 1e-9, 1000.0));
  }
  OTE_CHECK(CheckBelow("strategy.serverMomentum", spec.server_momentum, 1.0));
  OTE_CHECK(CheckBelow("strategy.beta1", spec.beta1, 1.0));
  OTE_CHECK(CheckBelow("strategy.beta2", spec.beta2, 1.0));
  OTE_CHECK(CheckRange("strategy.adaptivity", spec.adaptivity, 1e-12, 1.0));
  OTE_CHECK(CheckRange("strategy.proximal", spec.proximal, 0.0, 1000.0));
  OTE_CHECK(CheckRange<std::int64_t>("strategy.buffer", spec.buffer, 1, 1'000'000));
  OTE_CHECK(CheckRange<std::int64_t>("strategy.maxStaleness", spec.max_staleness, 0, 10'000));
  OTE_CHECK(CheckRange("strategy.stalenessExponent", spec.staleness_exponent, 0.0, 10.0));
  OTE_CHECK(CheckBelow("strategy.trim", spec.trim, 0.5));
  if (spec.byzantine) OTE_CHECK(CheckRange<std::int64_t>("strategy.byzantine", *spec.byzantine, 0, 1'000'000));
  if (spec.keep) OTE_CHECK(CheckRange<std::int64_t>("strategy.keep", *spec.keep, 1, 1'000'000));
  if (spec.clip_norm) OTE_CHECK(CheckRange("strategy.clipNorm", *spec.clip_norm, 1e-9, 1e9));
  return CheckSize("strategy.memory", spec.memory);
}

Result<void> Validate(const PersonalSpec& spec) {
  OTE_CHECK(CheckRange("personalization.lambda", spec.lambda, 0.0, 1000.0));
  OTE_CHECK(CheckRange<std::int64_t>("personalization.epochs", spec.epochs, 1, 10'000));
  if (spec.kind == PersonalKind::kLocalLayers && spec.layers.empty()) {
    return Fail(ErrorId::kRunInvalid, "personalization.layers: local-layers needs the layers that stay at the site",
                "such as layers: [layers.1]; ote model show names the tensors of a model");
  }
  if (spec.kind != PersonalKind::kLocalLayers && !spec.layers.empty()) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("personalization.layers: only local-layers has them, and kind is {}", NameOf(spec.kind)));
  }
  return {};
}

Result<void> Validate(const StopSpec& spec) {
  OTE_CHECK(CheckRange<std::int64_t>("stop.patience", spec.patience, 0, 1'000'000));
  OTE_CHECK(CheckRange("stop.minDelta", spec.min_delta, 0.0, 1e9));
  if (spec.target) OTE_CHECK(CheckRange("stop.target", *spec.target, -1e18, 1e18));
  return {};
}

Result<void> Validate(const CheckpointSpec& spec) {
  OTE_CHECK(CheckRange<std::int64_t>("checkpoints.keep", spec.keep, 0, 100'000));
  return CheckSize("checkpoints.space", spec.space);
}

}  // namespace ote::api
