// Which runs can be had from sums of masked updates.
#pragma once

#include <string>

#include "core/api/run_spec.h"
#include "core/base/result.h"

namespace ote::federate {

// Whether the strategy makes the next model of the sum of a round alone, with nothing done to a single update at the
// root. True for fedavg, fedavgm, fedprox, fedadam, fedyogi, fedadagrad and fednova, and not for
// scaffold, whose control variates know no bound: what is cut off would be lost at the root only.
bool WorksOnSums(api::StrategyKind kind);

// kRunInvalid naming the field, when `spec` asks for masks and for something that a sum cannot give: strategies that
// compare updates or close a round by a buffer, clipping at the root, models made of statistics (which must not be cut
// to a bound).
Result<void> CheckMaskable(const api::RunSpec& spec);

}  // namespace ote::federate
