// The descriptions of the strategies, one defined in each file of this folder. For core/federate/strategy.cpp alone.
#pragma once

#include "core/federate/strategy.h"

namespace ote::federate {

extern const StrategyInfo kFedAvgInfo;
extern const StrategyInfo kFedAvgMInfo;
extern const StrategyInfo kFedProxInfo;
extern const StrategyInfo kFedAdamInfo;
extern const StrategyInfo kFedYogiInfo;
extern const StrategyInfo kFedAdagradInfo;
extern const StrategyInfo kScaffoldInfo;
extern const StrategyInfo kFedNovaInfo;
extern const StrategyInfo kFedBuffInfo;
extern const StrategyInfo kMedianInfo;
extern const StrategyInfo kTrimmedMeanInfo;
extern const StrategyInfo kKrumInfo;
extern const StrategyInfo kMultiKrumInfo;

}  // namespace ote::federate
