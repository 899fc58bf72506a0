// SCAFFOLD: sites correct each step by c − c_i, the difference between the common direction and their own, so that they
// do not drift towards their own optima (Karimireddy, Kale, Mohri, Reddi, Stich and Suresh 2020, algorithm 1 with
// option II).
//
// An update holds two vectors: the change of the model, and the change of the site's control variate. With weights p_i
// by rows in place of the paper's equal ones, w += rate·mean(Δw) and c += (rows of the round / rows of all)·mean(Δc):
// when all take part, c is the weighted mean of the c_i. The state is c; it is what the sites are given as control.
#include "core/federate/strategies/list.h"
#include "core/federate/strategies/step.h"

namespace ote::federate {
namespace {

class Scaffold final : public Strategy {
 public:
  explicit Scaffold(double rate) : rate_(rate) {}
  api::LocalPlan Plan() const override {
    api::LocalPlan plan;
    plan.control = true;
    return plan;
  }
  std::int64_t Vectors() const noexcept override { return 2; }
  std::int64_t StateVectors() const noexcept override { return 1; }
  Result<void> Apply(const Accumulator& sum, const RoundFacts& facts, std::span<float> model,
                     std::span<float> state) const override {
    AddMeans(sum, rate_, model);
    const double share = static_cast<double>(facts.rows) / static_cast<double>(facts.pool_rows);
    ForEachMean(sum, model.size(), model.size(), [&](std::size_t i, double mean) {
      state[i] = static_cast<float>(static_cast<double>(state[i]) + share * mean);
    });
    return {};
  }

 private:
  double rate_;
};

}  // namespace

const StrategyInfo kScaffoldInfo = {
    .kind = api::StrategyKind::kScaffold,
    .summary = "sites correct their drift by control variates; updates are twice as large",
    .paper = "Karimireddy et al. 2020, SCAFFOLD: stochastic controlled averaging for federated learning",
    .settings = {kServerRate},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<Scaffold>(spec.server_learning_rate.value_or(1));
    }};

}  // namespace ote::federate
