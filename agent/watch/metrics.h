// The page that Prometheus reads: http://ADDRESS/metrics.
//
// A scrape runs in a thread of the library. It asks for fresh values in the agent's thread and takes the last ones when
// they do not come in time, so that a busy agent is still seen; nothing is measured when nobody asks.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "agent/watch/families.h"
#include "core/base/result.h"

namespace ote::agent {

class Metrics {
 public:
  static constexpr std::chrono::milliseconds kPatience{2'000};  // within a scrape, for the agent's thread

  // Listens at once (kMetricsAddress with the reason). `gather` is called in the agent's thread only, by way of `post`,
  // which runs a function there soon. Made and destroyed in the agent's thread; the destructor waits for no scrape.
  static Result<std::unique_ptr<Metrics>> Serve(const std::string& address,
                                                std::function<void(std::function<void()>)> post,
                                                std::function<Families()> gather);
  ~Metrics();
  // HOST:PORT with the port that was picked for 0.
  const std::string& Address() const noexcept { return address_; }

 private:
  struct State;
  explicit Metrics(std::unique_ptr<State> state, std::string address);
  std::unique_ptr<State> state_;
  std::string address_;
};

}  // namespace ote::agent
