// FedAdagrad: v = v + d², with no first moment, as in the paper's experiments (Reddi et al. 2021, algorithm 2 with
// beta1 = 0).
#include "core/federate/strategies/adaptive.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {

const StrategyInfo kFedAdagradInfo = {.kind = api::StrategyKind::kFedAdagrad,
                                      .summary = "Adagrad at the root",
                                      .paper = "Reddi et al. 2021, Adaptive federated optimization",
                                      .settings = {kAdaptiveServerRate, kAdaptivity, kClipNorm},
                                      .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
                                        return MakeAdaptive(spec, 0,
                                                            [](double v, double square) { return v + square; });
                                      }};

}  // namespace ote::federate
