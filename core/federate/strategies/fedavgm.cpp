// FedAvgM: the mean update goes through momentum at the root: v = beta·v + mean, w += rate·v (Hsu, Qi and Brown 2019,
// section 4.3).
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class FedAvgM final : public Strategy {
 public:
  FedAvgM(double rate, double momentum) : rate_(rate), momentum_(momentum) {}
  std::int64_t StateVectors() const noexcept override { return 1; }
  Result<void> Apply(const Accumulator& sum, const RoundFacts&, std::span<float> model,
                     std::span<float> state) const override {
    ForEachMean(sum, 0, model.size(), [&](std::size_t i, double mean) {
      const double velocity = momentum_ * static_cast<double>(state[i]) + mean;
      state[i] = static_cast<float>(velocity);
      model[i] = static_cast<float>(static_cast<double>(model[i]) + rate_ * velocity);
    });
    return {};
  }

 private:
  double rate_;
  double momentum_;
};

}  // namespace

const StrategyInfo kFedAvgMInfo = {
    .kind = api::StrategyKind::kFedAvgM,
    .summary = "the mean update with momentum at the root",
    .paper = "Hsu, Qi and Brown 2019, Measuring the effects of non-identical data distribution",
    .settings = {{"serverMomentum", "0.9", "what stays of the last velocity"}, kServerRate, kClipNorm},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<FedAvgM>(spec.server_learning_rate.value_or(1), spec.server_momentum);
    }};

}  // namespace ote::federate
