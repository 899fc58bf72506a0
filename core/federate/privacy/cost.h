// What a run costs, by its run file.
#pragma once

#include <cstdint>

#include "core/api/run_spec.h"
#include "core/federate/privacy/accountant.h"

namespace ote::federate {

// One round of the run, to those who see its models and not who took part. Only central noise hides who did, so only
// there drawing a part of the sites makes it cheaper.
RdpCurve RoundCost(const api::RunSpec& spec);
// One round to the site that takes part in it, as its ledger counts: without any gain from having been drawn.
RdpCurve SiteRoundCost(const api::TaskPrivacy& privacy);

// Of a run with noise that has `planned` rounds and has done `rounds`.
api::PrivacyCost CostOf(const api::RunSpec& spec, std::int64_t rounds, std::int64_t planned);
// kRunTooCostly when all rounds would cost more than privacy.maxEpsilon, with the noise that would do.
Result<void> CheckCost(const api::RunSpec& spec);

// "ε 2.31 (δ 1e-05)"
std::string EpsilonText(double epsilon, double delta);

}  // namespace ote::federate
