// Waiting for a run: its events as they come, its end, or the end of our patience.
#pragma once

#include <string>

#include "cli/frame/context.h"
#include "cli/frame/link.h"
#include "core/api/run.h"

namespace ote::cli {

// Shows progress until the run is over and returns it. An agent that goes away is waited for as long as the patience
// lasts, at most a minute at a time: a run survives a restart. kTimedOut, kInterrupted (the hint is the command to come
// back), kUnreachable. With -o jsonl the events are printed on standard output.
Result<api::Run> FollowRun(Context& context, const std::string& run, std::int64_t rounds);

// Prints the run, and gives the error that its end is: the document with -o json holds both.
Result<Exit> FinishRun(Context& context, const api::Run& run);

}  // namespace ote::cli
