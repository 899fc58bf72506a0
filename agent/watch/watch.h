// How this agent is watched: serves metrics, ships the log, and answers doctor.check. As watch.json in the state folder
// says; without it nothing is served and nothing is sent.
#pragma once

#include <memory>

#include "agent/watch/gather.h"
#include "agent/watch/metrics.h"
#include "agent/watch/shipper.h"
#include "core/api/watch.h"

namespace ote::agent {

class Watch {
 public:
  explicit Watch(Watched watched) : watched_(std::move(watched)) {}
  ~Watch();

  // Registers the verb. kMetricsAddress, kShipperFailed: an agent that cannot be watched as it was told to be does not
  // start.
  Result<void> Start();
  void SetBoard(const StateBoard* board) { watched_.board = board; }

 private:
  api::Findings Check() const;

  Watched watched_;
  UnixMillis wall_began_ = 0;
  std::chrono::milliseconds steady_began_{0};
  std::unique_ptr<Shipper> shipper_;
  std::unique_ptr<Metrics> metrics_;
};

}  // namespace ote::agent
