// The cache that completes names: what the list verbs saw last, one "<kind> <name>" a line in CacheFolder()/names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/frame/context.h"

namespace ote::cli {

std::filesystem::path NamesFile(const Context& context);
// Replaces the names of `kind` ("cluster", "run", "dataset", "model", "token", "trainer", "context"). Best effort: a cache that
// cannot be written is no error.
void CacheNames(const Context& context, std::string_view kind, const std::vector<std::string>& names);

}  // namespace ote::cli
