#include "core/site/task_records.h"

#include <fmt/format.h>

namespace ote::site {

std::string TaskKey(const std::string& run, std::int64_t round) { return fmt::format("{}/{}", run, round); }

}  // namespace ote::site
