// Apps for people.
#pragma once

#include <string>

#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "core/api/app_requests.h"

namespace ote::cli {

// "FROM/APP" for what a tier above deployed.
std::string AppName(const api::AppView& view);
// "3/4 healthy, 1 pending"
std::string CountsText(const api::AppCounts& counts);
// What an app is at, in one word: rolling, healthy, degraded, stopped, pending, removing.
std::string AppWord(const api::AppView& view);
Table SitesTable(const api::AppView& view, UnixMillis now);
// Facts, revisions, clusters and history.
std::string AppText(const api::AppView& view, UnixMillis now, bool wide);
// To an operator with a scope, of how many clusters it is told; nothing to others.
void SayShare(Context& context, const api::AppView& view);
Result<api::AppView> FetchApp(const Context& context, const std::string& name);

}  // namespace ote::cli
