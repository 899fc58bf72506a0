#include "core/federate/masks/maskable.h"

#include <fmt/format.h>

#include "core/federate/strategy.h"
#include "core/learn/models.h"

namespace ote::federate {
namespace {

tl::unexpected<Error> No(std::string message, std::string hint) {
  return Fail(ErrorId::kRunInvalid, std::move(message), std::move(hint));
}

}  // namespace

bool WorksOnSums(api::StrategyKind kind) {
  api::StrategySpec spec;
  spec.kind = kind;
  return kind != api::StrategyKind::kFedBuff && kind != api::StrategyKind::kScaffold && !MakeStrategy(spec)->NeedsAll();
}

Result<void> CheckMaskable(const api::RunSpec& spec) {
  if (spec.masks.kind == api::MaskKind::kNone) return {};
  const std::string_view kind = NameOf(spec.strategy.kind);
  if (spec.strategy.kind == api::StrategyKind::kFedBuff) {
    return No(
        "secureAggregation.kind: fedbuff closes a round by whose updates come first, and masks need all to know it",
        "set strategy.kind: fedavg, or secureAggregation.kind: none");
  }
  if (spec.strategy.kind == api::StrategyKind::kScaffold) {
    return No("secureAggregation.kind: scaffold's control variates know no bound, and masks need one",
              "set strategy.kind: fedavg, or secureAggregation.kind: none");
  }
  if (!WorksOnSums(spec.strategy.kind)) {
    return No(fmt::format("secureAggregation.kind: {} compares updates, and the root sees their sum alone", kind),
              "set strategy.kind: fedavg, or secureAggregation.kind: none");
  }
  if (spec.strategy.clip_norm) {
    return No("strategy.clipNorm: the root cannot clip an update that it does not see",
              "leave clipNorm out; secureAggregation.bound limits each value");
  }
  if (learn::InfoOf(spec.model.kind).statistical) {
    return No(fmt::format("secureAggregation.kind: {} is made of statistics, and one that is cut to a bound is wrong",
                          NameOf(spec.model.kind)),
              "choose a model that is trained by steps, such as mlp, or secureAggregation.kind: none");
  }
  return {};
}

}  // namespace ote::federate
