// Waiting for a revision of an app.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cli/frame/context.h"
#include "core/api/app_requests.h"

namespace ote::cli {

// Shows each view of an app until `enough` says so, and returns the last one. An agent that goes away is waited for, at
// most a minute at a time. kTimedOut and kInterrupted once the time is up; `last` has what was seen then.
Result<api::AppView> FollowApp(Context& context, const std::string& app, api::AppView& last,
                               const std::function<bool(const api::AppView&)>& enough);

// Waits for the outcome of a revision and prints it. Done, kRolloutFailed, or kPartly when clusters that are away are
// all that it waits for: at once without --timeout, at its end with it.
Result<Exit> AwaitRevision(Context& context, const std::string& app, std::int64_t revision);

// Tells of the clusters that wait for a file, if there are any.
void WarnOfCarriage(Context& context, const api::AppView& view);

}  // namespace ote::cli
