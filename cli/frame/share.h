// Files that are installed beside the programs: samples, templates.
#pragma once

#include <filesystem>
#include <string>

#include "cli/frame/context.h"
#include "core/base/result.h"

namespace ote::cli {

// `name` ("samples/digits.csv") in OTE_SHARE, in share/ote beside the program's folder, or in the source tree that the
// program was built in. kNotFound names where it was looked for.
Result<std::filesystem::path> FindShared(const Context& context, const std::string& name);

}  // namespace ote::cli
