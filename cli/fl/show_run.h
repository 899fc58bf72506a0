// A run for people, and the error that an ended run is.
#pragma once

#include <optional>
#include <string>

#include "cli/frame/context.h"
#include "core/api/run.h"
#include "core/base/result.h"

namespace ote::cli {

// The run of that id or name, from the agent of the state folder that the flags choose.
Result<api::Run> FetchRun(const Context& context, const std::string& name);

// "accuracy 0.9731, loss 0.0912"; "" when nothing was measured.
std::string MetricsText(const api::Metrics& metrics);
// "epsilon 0.8 of 2.4, delta 1e-05, central noise"; "" for a run without.
std::string PrivacyText(const api::Run& run);
std::string RunText(const api::Run& run, UnixMillis now);
// kRunFailed or kRunCancelled for a run that ended so; nothing for one that finished or goes on.
std::optional<Error> OutcomeOf(const api::Run& run);

}  // namespace ote::cli
