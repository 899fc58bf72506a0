#include "core/federate/strategy.h"

#include <algorithm>
#include <cmath>

#include "core/federate/strategies/list.h"

namespace ote::federate {
namespace {

const StrategyInfo* const kAll[] = {&kFedAvgInfo,      &kFedAvgMInfo,  &kFedProxInfo,  &kFedAdamInfo, &kFedYogiInfo,
                                    &kFedAdagradInfo,  &kScaffoldInfo, &kFedNovaInfo,  &kFedBuffInfo, &kMedianInfo,
                                    &kTrimmedMeanInfo, &kKrumInfo,     &kMultiKrumInfo};

}  // namespace

void Strategy::Begin(std::span<float> state) const { std::fill(state.begin(), state.end(), 0.0f); }

Result<void> Strategy::Apply(const Accumulator&, const RoundFacts&, std::span<float>, std::span<float>) const {
  return Fail(ErrorId::kInternal, "a strategy that compares updates was given their sum");
}
Result<void> Strategy::Combine(const Gathered&, std::span<float>) const {
  return Fail(ErrorId::kInternal, "a strategy of sums was given the updates one by one");
}

std::int64_t UpdateWeight(const api::StrategySpec& spec, std::int64_t examples, std::int64_t staleness) noexcept {
  if (spec.kind != api::StrategyKind::kFedBuff) return examples;
  const double factor = std::pow(1 + static_cast<double>(staleness), -spec.staleness_exponent);
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(examples * kFresh) * factor));
}

std::span<const StrategyInfo* const> AllStrategies() noexcept { return kAll; }

const StrategyInfo& InfoOf(api::StrategyKind kind) noexcept {
  for (const StrategyInfo* info : kAll) {
    if (info->kind == kind) return *info;
  }
  return *kAll[0];
}

std::unique_ptr<Strategy> MakeStrategy(const api::StrategySpec& spec) { return InfoOf(spec.kind).make(spec); }

}  // namespace ote::federate
