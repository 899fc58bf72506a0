// How the sum of a round becomes the next model. One file a strategy.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/api/run.h"
#include "core/federate/accumulator.h"

namespace ote::federate {

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Turns `model`, in place, into the next one. `sum` holds at least one update.
  virtual void Apply(const Accumulator& sum, std::span<float> model) = 0;
};

std::unique_ptr<Strategy> MakeStrategy(const api::StrategySpec& spec);

}  // namespace ote::federate
