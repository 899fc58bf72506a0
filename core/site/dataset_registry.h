// Which files are the data sets of a site: what the agent and a command line without an agent do in the same way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/requests.h"
#include "core/site/data_cache.h"
#include "core/store/store.h"

namespace ote::site {

// Whether the same file was described in the same way.
bool SameRequest(const api::Dataset& a, const api::Dataset& b);
// Form of what is asked for: names, absolute paths, ranges, terms of privacy.
Result<void> CheckAsked(const api::DataAddRequest& asked);
// kConflict when `there` has the name with another description, unless it is to be replaced.
Result<void> CheckPlace(const std::optional<RegisteredFile>& there, const api::DataAddRequest& asked);
// Whether an add needs no reading: the same request, and files that were not touched.
bool Unchanged(const std::optional<RegisteredFile>& there, const api::Dataset& asked);
// Keeps what was read (ReadForRegistration) and gives it as it stands now. kConflict when the file is another one than
// the one registered, unless it is to be replaced.
Result<RegisteredFile> Register(store::Store& store, const std::optional<RegisteredFile>& there,
                                const api::DataAddRequest& asked, RegisteredFile read, UnixMillis now);
// All summaries, in the order of the names.
Result<std::vector<api::DatasetSummary>> Summaries(store::Store& store);

}  // namespace ote::site
