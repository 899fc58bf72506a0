// What a site needs beside a task to do it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/api/task.h"

namespace ote::api {

// Digest and size of each artifact, the given model first, then the root's control variate; each once. Steps of masks
// alone need none, though their tasks name the model of the round.
inline std::vector<std::pair<std::string, std::int64_t>> ArtifactsOf(const Task& task) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  if (IsMaskStep(task.kind)) return out;
  if (!task.model_digest.empty()) out.emplace_back(task.model_digest, task.model_size);
  const std::string& control = task.local.control_digest;
  if (!control.empty() && control != task.model_digest) out.emplace_back(control, task.local.control_size);
  return out;
}

}  // namespace ote::api
