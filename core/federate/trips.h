// How often something has to be carried to a site, and back, for a run: what is told before it starts.
#pragma once

#include "core/api/run.h"

namespace ote::federate {

// Of one round of training: the steps that a site takes part in one after the other.
std::int64_t TripsOfRound(const api::RunSpec& spec) noexcept;
// Of a whole run: a survey when the rows are prepared, its rounds, and one to measure the model,
// unless it is masked. A run may stop before.
std::int64_t TripsOfRun(const api::RunSpec& spec, std::int64_t rounds) noexcept;
// From `task` on, that one included.
std::int64_t TripsLeft(const api::Run& run, const api::Task& task) noexcept;

}  // namespace ote::federate
