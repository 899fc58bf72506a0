// How the updates of a round become the next model. One file a strategy, in core/federate/strategies/; the table of
// them is strategy.cpp.
//
// Most strategies see the exact sum of a round alone, so their memory is O(model). Those that compare updates with each
// other (median, Krum) read them in blocks from where they are kept, within a bound.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/run_spec.h"
#include "core/api/task.h"
#include "core/base/result.h"
#include "core/federate/accumulator.h"

namespace ote::federate {

// Fills `out` with bytes of an artifact from `offset` on.
using RangeReader =
    std::function<Result<void>(const std::string& digest, std::int64_t offset, std::span<std::uint8_t> out)>;

// Of the round that is closed.
struct RoundFacts {
  std::int64_t rows = 0;  // behind the updates
  std::int64_t pool_rows =
      0;                  // of all sites that could have been asked, those of the round among them; at least `rows`
  double mean_steps = 1;  // local steps of a site, weighted by rows
  double freshness = 1;   // the part of the weights that staleness left
};

// The updates of a round, for strategies that need each by itself.
struct Gathered {
  std::vector<std::string> digests;  // in the order of the sites' names
  std::int64_t count = 0;            // values in each
  std::int64_t memory = 0;           // bytes that may be used for them
  RangeReader read;
};

class Strategy {
 public:
  virtual ~Strategy() = default;

  // What sites are asked to do beside their TrainSpec. The machine adds the control variate's digest.
  virtual api::LocalPlan Plan() const { return {}; }
  // How many vectors of the model's size an update holds; the sum has as many.
  virtual std::int64_t Vectors() const noexcept { return 1; }
  // How many such vectors the strategy remembers from round to round, and what they are at first.
  virtual std::int64_t StateVectors() const noexcept { return 0; }
  virtual void Begin(std::span<float> state) const;

  // Turns `model`, in place, into the next one, and `state` with it. `sum` holds at least one update.
  virtual Result<void> Apply(const Accumulator& sum, const RoundFacts& facts, std::span<float> model,
                             std::span<float> state) const;

  // Whether it is Combine, and not Apply, that makes the next model.
  virtual bool NeedsAll() const noexcept { return false; }
  virtual Result<void> Combine(const Gathered& updates, std::span<float> model) const;
};

// A setting of a strategy as ote-run(5) names it.
struct StrategySetting {
  std::string_view name;
  std::string_view fallback;  // the default of this strategy
  std::string_view help;
};

// fedbuff: the weight of one fresh example; staleness takes a part of it.
inline constexpr std::int64_t kFresh = 256;
// The weight of an update in the sum.
std::int64_t UpdateWeight(const api::StrategySpec& spec, std::int64_t examples, std::int64_t staleness) noexcept;

struct StrategyInfo {
  api::StrategyKind kind;
  std::string_view summary;  // one line
  std::string_view paper;
  std::vector<StrategySetting> settings;
  std::unique_ptr<Strategy> (*make)(const api::StrategySpec& spec);
};

// In the order in which they are listed.
std::span<const StrategyInfo* const> AllStrategies() noexcept;
const StrategyInfo& InfoOf(api::StrategyKind kind) noexcept;
std::unique_ptr<Strategy> MakeStrategy(const api::StrategySpec& spec);

}  // namespace ote::federate
