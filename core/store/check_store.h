// Whether the database of a state folder is whole, as SQLite's own quick check finds it.
#pragma once

#include <filesystem>

#include "core/base/result.h"

namespace ote::store {

// Reads only; an agent may have it open. kStoreCorrupt with what was found, kStoreFailed when it cannot be read.
Result<void> CheckStore(const std::filesystem::path& file);

}  // namespace ote::store
