// Takes the masks out of a run's sum in a worker's thread, while the agent goes on answering. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "agent/worker.h"
#include "core/federate/run_machine.h"

namespace ote::agent {

class RunUnmasking {
 public:
  // `unmasked` is called with what came of it, never from within Start().
  RunUnmasking(Worker& worker, std::function<void(const federate::Event&)> unmasked)
      : worker_(worker), unmasked_(std::move(unmasked)) {}
  ~RunUnmasking() { Stop(); }

  void Start(const federate::Unmask& wanted);
  // Lets the work go, and tells nothing of it.
  void Stop();

 private:
  Worker& worker_;
  std::function<void(const federate::Event&)> unmasked_;
  std::stop_source running_{std::nostopstate};
  std::uint64_t latest_ = 0;  // of the work that is still waited for
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ote::agent
