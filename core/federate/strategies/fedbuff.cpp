// FedBuff: the root does not wait for all. As soon as `buffer` updates are there it makes the next model; sites that
// are still at work go on, and their updates count in a later round with the weight (1 + staleness)^-exponent (Nguyen,
// Malik, Zhan, Yousefpour, Rabbat, Malek and Huba 2022, algorithm 1).
//
// The sum is divided by the weights that the updates had without staleness, as in the paper, so a stale update moves
// the model less even when it is alone.
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class FedBuff final : public Strategy {
 public:
  explicit FedBuff(double rate) : rate_(rate) {}
  Result<void> Apply(const Accumulator& sum, const RoundFacts& facts, std::span<float> model,
                     std::span<float>) const override {
    AddMeans(sum, rate_ * facts.freshness, model);
    return {};
  }

 private:
  double rate_;
};

}  // namespace

const StrategyInfo kFedBuffInfo = {
    .kind = api::StrategyKind::kFedBuff,
    .summary = "asynchronous: a new model for every so many updates, and late ones count for less",
    .paper = "Nguyen et al. 2022, Federated learning with buffered asynchronous aggregation",
    .settings = {{"buffer", "10", "updates that make a new model"},
                 {"maxStaleness", "10", "models behind which an update is refused, and its site is asked anew"},
                 {"stalenessExponent", "0.5", "an update of staleness s weighs (1 + s)^-exponent"},
                 kServerRate,
                 kClipNorm},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<FedBuff>(spec.server_learning_rate.value_or(1));
    }};

}  // namespace ote::federate
