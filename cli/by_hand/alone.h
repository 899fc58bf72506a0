// What verbs do at a site that is reached by files, when no agent runs there: they work on the state folder themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/frame/context.h"
#include "core/api/requests.h"
#include "core/site/by_hand/hand_site.h"

namespace ote::cli {

// The site of the state folder that the flags choose, when it has no parent to connect to and no agent runs in it;
// nothing otherwise, and the verb asks the agent as ever.
Result<std::optional<site::HandSite>> OpenAlone(const Context& context);

// As the agent's data.* do it.
Result<api::Dataset> AddDataset(const Context& context, site::HandSite& site, const api::DataAddRequest& asked);
Result<std::vector<api::Dataset>> ListDatasets(site::HandSite& site);
Result<api::Dataset> RemoveDataset(site::HandSite& site, const std::string& name);

}  // namespace ote::cli
