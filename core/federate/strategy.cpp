#include "core/federate/strategy.h"

#include "core/federate/fedavg.h"

namespace ote::federate {

std::unique_ptr<Strategy> MakeStrategy(const api::StrategySpec&) { return std::make_unique<FedAvg>(); }

}  // namespace ote::federate
