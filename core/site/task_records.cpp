#include "core/site/task_records.h"

#include <fmt/format.h>

namespace ote::site {

std::string TaskKey(const std::string& run, std::int64_t round, std::int64_t stage) {
  return stage == 0 ? fmt::format("{}/{}", run, round) : fmt::format("{}/{}/{}", run, round, stage);
}

}  // namespace ote::site
