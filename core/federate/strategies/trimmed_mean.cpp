// The coordinate-wise trimmed mean: of each weight's changes the largest and the smallest `trim` part is left out, and
// the rest is averaged, every site counting the same (Yin, Chen, Ramchandran and Bartlett 2018, definition 2).
#include <cmath>

#include "core/federate/strategies/blocks.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {
namespace {

class TrimmedMean final : public Strategy {
 public:
  explicit TrimmedMean(double trim) : trim_(trim) {}
  bool NeedsAll() const noexcept override { return true; }
  Result<void> Combine(const Gathered& updates, std::span<float> model) const override {
    std::vector<float> column(updates.digests.size());
    const auto cut = static_cast<std::ptrdiff_t>(std::floor(trim_ * static_cast<double>(column.size())));
    const auto left = static_cast<double>(static_cast<std::ptrdiff_t>(column.size()) - 2 * cut);
    return ForEachBlock(updates, [&](std::size_t begin, std::span<const std::span<float>> rows) -> Result<void> {
      for (std::size_t i = 0; i < rows[0].size(); ++i) {
        for (std::size_t u = 0; u < rows.size(); ++u) column[u] = rows[u][i];
        std::sort(column.begin(), column.end());
        double sum = 0;
        for (auto value = column.begin() + cut; value != column.end() - cut; ++value)
          sum += static_cast<double>(*value);
        model[begin + i] = static_cast<float>(static_cast<double>(model[begin + i]) + sum / left);
      }
      return {};
    });
  }

 private:
  double trim_;
};

}  // namespace

const StrategyInfo kTrimmedMeanInfo = {
    .kind = api::StrategyKind::kTrimmedMean,
    .summary = "robust: the mean without the extremes, weight by weight",
    .paper = "Yin et al. 2018, Byzantine-robust distributed learning: towards optimal statistical rates",
    .settings = {{"trim", "0.1", "the part left out at each end"}, kMemory},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<TrimmedMean>(spec.trim);
    }};

}  // namespace ote::federate
