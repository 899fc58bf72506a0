// Federated averaging: the next model is the mean of what the sites trained, weighted by their examples (McMahan,
// Moore, Ramage, Hampson and Agüera y Arcas 2017, algorithm 1). With a server learning rate it is the server's SGD of
// Reddi et al. 2021, algorithm 1. Clipping the norm of each update bounds what one site can do (Sun, Kairouz, Suresh
// and McMahan 2019).
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class FedAvg final : public Strategy {
 public:
  explicit FedAvg(double rate) : rate_(rate) {}
  Result<void> Apply(const Accumulator& sum, const RoundFacts&, std::span<float> model,
                     std::span<float>) const override {
    AddMeans(sum, rate_, model);
    return {};
  }

 private:
  double rate_;
};

}  // namespace

const StrategyInfo kFedAvgInfo = {
    .kind = api::StrategyKind::kFedAvg,
    .summary = "the mean of the sites' models, weighted by their rows",
    .paper = "McMahan et al. 2017, Communication-efficient learning of deep networks from decentralized data",
    .settings = {kServerRate, kClipNorm},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<FedAvg>(spec.server_learning_rate.value_or(1));
    }};

}  // namespace ote::federate
