// Tells how long the line to the parent takes, as the heartbeats show it. One thread.
#pragma once

#include <string>

#include "agent/state/board.h"
#include "agent/uplink.h"
#include "core/tree/line_meter.h"

namespace ote::agent {

class Distance {
 public:
  Distance(Uplink& uplink, StateBoard& board) : uplink_(uplink), board_(board) {}
  void Start();

 private:
  Uplink& uplink_;
  StateBoard& board_;
  tree::LineMeter meter_;
  std::string parent_;
};

// How long a message from `self` to `cluster` and back takes, by what the clusters on the way told of their lines;
// nullopt when one of them told nothing.
std::optional<std::int64_t> RoundTripMs(const StateBoard& board, const std::string& self, const std::string& cluster);

}  // namespace ote::agent
