// A run for people, and the error that an ended run is.
#pragma once

#include <optional>
#include <string>

#include "core/api/run.h"
#include "core/base/result.h"

namespace ote::cli {

// "accuracy 0.9731, loss 0.0912"; "" when nothing was measured.
std::string MetricsText(const api::Metrics& metrics);
std::string RunText(const api::Run& run, UnixMillis now);
// kRunFailed or kRunCancelled for a run that ended so; nothing for one that finished or goes on.
std::optional<Error> OutcomeOf(const api::Run& run);

}  // namespace ote::cli
