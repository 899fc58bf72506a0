// The coordinate-wise median: each weight moves by the median of the sites' changes, every site counting the same, so
// that fewer than half of them cannot move it beyond the others (Yin, Chen, Ramchandran and Bartlett 2018, definition
// 1). Of an even number of sites it is the mean of the two in the middle.
#include "core/federate/strategies/blocks.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {
namespace {

class Median final : public Strategy {
 public:
  bool NeedsAll() const noexcept override { return true; }
  Result<void> Combine(const Gathered& updates, std::span<float> model) const override {
    std::vector<float> column(updates.digests.size());
    const std::size_t middle = column.size() / 2;
    return ForEachBlock(updates, [&](std::size_t begin, std::span<const std::span<float>> rows) -> Result<void> {
      for (std::size_t i = 0; i < rows[0].size(); ++i) {
        for (std::size_t u = 0; u < rows.size(); ++u) column[u] = rows[u][i];
        const auto at = column.begin() + static_cast<std::ptrdiff_t>(middle);
        std::nth_element(column.begin(), at, column.end());
        auto value = static_cast<double>(*at);
        if (column.size() % 2 == 0) value = (value + static_cast<double>(*std::max_element(column.begin(), at))) / 2;
        model[begin + i] = static_cast<float>(static_cast<double>(model[begin + i]) + value);
      }
      return {};
    });
  }
};

}  // namespace

const StrategyInfo kMedianInfo = {
    .kind = api::StrategyKind::kMedian,
    .summary = "robust: the median of the updates, weight by weight",
    .paper = "Yin et al. 2018, Byzantine-robust distributed learning: towards optimal statistical rates",
    .settings = {kMemory},
    .make = [](const api::StrategySpec&) -> std::unique_ptr<Strategy> { return std::make_unique<Median>(); }};

}  // namespace ote::federate
