// This machine as the one node of a cluster.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/api/capacity.h"

namespace ote::agent::process {

// Looks at the machine; use of the CPU is counted from one look to the next. One thread.
class Machine {
 public:
  explicit Machine(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // The name of its node.
  static std::string Name();
  // Reads /proc, /dev and the file system of `folder`: no waiting.
  api::ShimStatus Look();

 private:
  std::filesystem::path folder_;
  std::int64_t busy_ = 0, all_ = 0;
};

// Whether one is worth telling after the other: something other than a few percent of use.
bool Differs(const api::ShimStatus& before, const api::ShimStatus& now);

}  // namespace ote::agent::process
