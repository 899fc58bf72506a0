// Models of the registry as bundles: what ote model export and import do for a cluster without a network.
#pragma once

#include <string>

#include "cli/by_hand/place.h"

namespace ote::cli {

// At the root: signs the model, and seals it to the member.
Result<Exit> ExportModelBundle(Context& context, const std::string& model, const std::string& cluster,
                               const PlaceOptions& placing);
// At the member: registers it as the next version of `name`, or of the name that it has at the root.
Result<Exit> ImportModelBundle(Context& context, const std::filesystem::path& file, const std::string& name,
                               const std::vector<std::string>& tags);
// Whether the file is a bundle.
bool IsBundle(const std::filesystem::path& path);

}  // namespace ote::cli
