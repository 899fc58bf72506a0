// FedNova: sites that take more steps than others do not count for more than their rows. Each divides its update by its
// steps (the norm of a, which knows momentum), and the root multiplies the mean by the mean number of steps (Wang, Liu,
// Liang, Joshi and Poor 2020, equation 10 with tau_eff = sum p_i·tau_i).
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class FedNova final : public Strategy {
 public:
  explicit FedNova(double rate) : rate_(rate) {}
  api::LocalPlan Plan() const override {
    api::LocalPlan plan;
    plan.normalize = true;
    return plan;
  }
  Result<void> Apply(const Accumulator& sum, const RoundFacts& facts, std::span<float> model,
                     std::span<float>) const override {
    AddMeans(sum, rate_ * facts.mean_steps, model);
    return {};
  }

 private:
  double rate_;
};

}  // namespace

const StrategyInfo kFedNovaInfo = {
    .kind = api::StrategyKind::kFedNova,
    .summary = "updates are normalised by the steps behind them",
    .paper = "Wang et al. 2020, Tackling the objective inconsistency problem in heterogeneous federated optimization",
    .settings = {kServerRate},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<FedNova>(spec.server_learning_rate.value_or(1));
    }};

}  // namespace ote::federate
