// FedProx: sites add (mu / 2)·|w − w_given|² to their loss, so that they stay near the model that they were given; the
// next model is their weighted mean (Li, Sahu, Zaheer, Sanjabi, Talwalkar and Smith 2020, algorithm 2).
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class FedProx final : public Strategy {
 public:
  FedProx(double rate, double proximal) : rate_(rate), proximal_(proximal) {}
  api::LocalPlan Plan() const override {
    api::LocalPlan plan;
    plan.proximal = proximal_;
    return plan;
  }
  Result<void> Apply(const Accumulator& sum, const RoundFacts&, std::span<float> model,
                     std::span<float>) const override {
    AddMeans(sum, rate_, model);
    return {};
  }

 private:
  double rate_;
  double proximal_;
};

}  // namespace

const StrategyInfo kFedProxInfo = {
    .kind = api::StrategyKind::kFedProx,
    .summary = "sites are held near the model that they were given",
    .paper = "Li et al. 2020, Federated optimization in heterogeneous networks",
    .settings = {{"proximal", "0.01", "mu: how strongly; the paper tries 0.001, 0.01, 0.1 and 1"},
                 kServerRate,
                 kClipNorm},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<FedProx>(spec.server_learning_rate.value_or(1), spec.proximal);
    }};

}  // namespace ote::federate
