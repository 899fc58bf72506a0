// FedAdam: v = beta2·v + (1 − beta2)·d² (Reddi et al. 2021, algorithm 2).
#include "core/federate/strategies/adaptive.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {

const StrategyInfo kFedAdamInfo = {
    .kind = api::StrategyKind::kFedAdam,
    .summary = "Adam at the root",
    .paper = "Reddi et al. 2021, Adaptive federated optimization",
    .settings = {kAdaptiveServerRate,
                 {"beta1", "0.9", "the decay of the first moment"},
                 {"beta2", "0.99", "the decay of the second moment"},
                 kAdaptivity,
                 kClipNorm},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return MakeAdaptive(spec, spec.beta1,
                          [beta2 = spec.beta2](double v, double square) { return beta2 * v + (1 - beta2) * square; });
    }};

}  // namespace ote::federate
