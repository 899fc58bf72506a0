// A whole federation in one process: the same state machine, the real codec, no sockets, no clock.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "core/api/run.h"
#include "core/base/result.h"
#include "core/learn/data.h"

namespace ote::simulate {

struct SimulatedSite {
  std::string name;
  learn::Table train;
  learn::Table test;
};

struct SimulateOptions {
  std::uint64_t arrival_seed = 0;  // the order in which sites answer; the model does not depend on it
  double absent = 0.0;             // the fraction of sites that misses each round, drawn from the seed
  std::function<void(const api::RunEvent&)> on_event;
  std::function<void(const api::Run&)> on_round;  // after each finished round
};

struct Simulated {
  api::Run run;
  Bytes model;                // safetensors
  std::int64_t messages = 0;  // envelopes encoded and decoded
  std::int64_t bytes = 0;     // of them, blobs included
};

// Every task, offer and chunk is encoded and decoded as it would be on the wire. Memory: the sites' rows and O(model).
Result<Simulated> Simulate(const api::RunSpec& spec, const std::vector<SimulatedSite>& sites,
                           const SimulateOptions& options, std::stop_token stop = {});

}  // namespace ote::simulate
