// A process shim with real supervisors and real commands.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/shim/process/process_shim.h"
#include "test/unit/agent/shim_bench.h"

namespace ote::agent {

struct ProcessBench : ShimBench {
  process::Patience patience;

  ProcessBench() {
    patience.back_off_ms = 20;
    patience.back_off_most_ms = 200;
  }
  ~ProcessBench() {
    // What a shim runs outlives it: every test ends what it began.
    if (!shim) Start();
    for (const auto& [key, status] : apps) CHECK(Remove(key));
  }
  void Start(const std::vector<api::Assignment>& wanted = {}) {
    shim.reset();
    apps.clear();
    auto made = process::MakeShim(Context(), patience);
    REQUIRE(made);
    shim = std::move(*made);
    REQUIRE(shim->Start(Hooks(), wanted));
  }
  // As the supervisors of an app's replicas keep them.
  std::vector<std::pair<std::filesystem::path, process::ReplicaState>> States(const std::string& key) const {
    std::vector<std::pair<std::filesystem::path, process::ReplicaState>> states;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "shim" / key, error)) {
      if (auto state = process::ReadState(entry.path())) states.emplace_back(entry.path(), std::move(*state));
    }
    return states;
  }
  pid_t PidOf(const std::string& key) const {
    const auto states = States(key);
    return states.empty() ? 0 : static_cast<pid_t>(states.front().second.pid);
  }
  std::int64_t RestartsOf(const std::string& key) const {
    const auto it = apps.find(key);
    return it == apps.end() || it->second.replicas.empty() ? 0 : it->second.replicas.front().restarts;
  }
};

inline api::Workload Shell(const std::string& script) {
  api::Workload workload;
  workload.command = {"/bin/sh", "-c", script};
  workload.isolation = api::Isolation::kOff;
  workload.health.start_ms = 50;
  workload.stop_ms = 5'000;
  return workload;
}

}  // namespace ote::agent
