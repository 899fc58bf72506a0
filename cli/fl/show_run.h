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
std::string RunText(const api::Run& run, UnixMillis now);
// kRunFailed or kRunCancelled for a run that ended so; nothing for one that finished or goes on.
std::optional<Error> OutcomeOf(const api::Run& run);

}  // namespace ote::cli
