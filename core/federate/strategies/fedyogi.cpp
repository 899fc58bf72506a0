// FedYogi: v = v − (1 − beta2)·d²·sign(v − d²): it grows as fast as Adam's and forgets more slowly (Reddi et al. 2021,
// algorithm 2, after Zaheer et al. 2018).
#include "core/federate/strategies/adaptive.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {

const StrategyInfo kFedYogiInfo = {.kind = api::StrategyKind::kFedYogi,
                                   .summary = "Yogi at the root",
                                   .paper = "Reddi et al. 2021, Adaptive federated optimization",
                                   .settings = {kAdaptiveServerRate,
                                                {"beta1", "0.9", "the decay of the first moment"},
                                                {"beta2", "0.99", "how fast the second moment follows"},
                                                kAdaptivity,
                                                kClipNorm},
                                   .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
                                     return MakeAdaptive(spec, spec.beta1,
                                                         [beta2 = spec.beta2](double v, double square) {
                                                           const double sign = v > square ? 1 : v < square ? -1 : 0;
                                                           return v - (1 - beta2) * square * sign;
                                                         });
                                   }};

}  // namespace ote::federate
