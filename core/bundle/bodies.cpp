#include "core/bundle/bodies.h"

#include <set>

namespace ote::bundle {

std::vector<std::pair<std::string, std::int64_t>> FilesOf(const api::Assignment& assignment) {
  std::vector<std::pair<std::string, std::int64_t>> files;
  std::set<std::string> seen;
  for (const auto& file : assignment.workload.files) {
    if (seen.insert(file.digest).second) files.emplace_back(file.digest, file.size);
  }
  return files;
}

}  // namespace ote::bundle
