// Krum: of n updates, up to f of them from sites that may lie, the one is taken whose n − f − 2 nearest others are
// nearest in all; multi-Krum takes the mean of the m best, every site counting the same (Blanchard, El Mhamdi,
// Guerraoui and Stainer 2017, section 4). It needs n >= 2f + 3.
//
// Distances are sums of squares in float64, added in the order of the coordinates: the same for every size of block.
#include <fmt/format.h>

#include <numeric>

#include "core/federate/strategies/blocks.h"
#include "core/federate/strategies/list.h"

namespace ote::federate {
namespace {

class Krum final : public Strategy {
 public:
  // `keep` 0: all but those that may lie. Without `byzantine` it is the most that so many sites allow.
  Krum(std::optional<std::int64_t> byzantine, std::int64_t keep) : byzantine_(byzantine), keep_(keep) {}
  bool NeedsAll() const noexcept override { return true; }

  Result<void> Combine(const Gathered& updates, std::span<float> model) const override {
    const auto sites = static_cast<std::int64_t>(updates.digests.size());
    const std::int64_t liars = byzantine_.value_or(std::max<std::int64_t>(0, (sites - 3) / 2));
    if (sites < 2 * liars + 3) {
      return Fail(ErrorId::kTooFewSites,
                  fmt::format("krum needs {} updates to withstand {} sites that lie, and there are {}", 2 * liars + 3,
                              liars, sites));
    }
    OTE_TRY(const std::vector<double> scores, Scores(updates, sites - liars - 2));
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    const std::int64_t most = sites - liars;
    order.resize(static_cast<std::size_t>(keep_ == 0 ? most : std::min(keep_, most)));
    std::sort(order.begin(), order.end());

    Gathered best = updates;
    best.digests.clear();
    for (const std::size_t u : order) best.digests.push_back(updates.digests[u]);
    return ForEachBlock(best, [&](std::size_t begin, std::span<const std::span<float>> rows) -> Result<void> {
      for (std::size_t i = 0; i < rows[0].size(); ++i) {
        double sum = 0;
        for (const auto& row : rows) sum += static_cast<double>(row[i]);
        model[begin + i] =
            static_cast<float>(static_cast<double>(model[begin + i]) + sum / static_cast<double>(rows.size()));
      }
      return {};
    });
  }

 private:
  static Result<std::vector<double>> Scores(const Gathered& updates, std::int64_t nearest) {
    const std::size_t n = updates.digests.size();
    std::vector<double> distances(n * n);
    OTE_CHECK(ForEachBlock(updates, [&](std::size_t, std::span<const std::span<float>> rows) -> Result<void> {
      for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = a + 1; b < n; ++b) {
          double sum = distances[a * n + b];
          for (std::size_t i = 0; i < rows[a].size(); ++i) {
            const double difference = static_cast<double>(rows[a][i]) - static_cast<double>(rows[b][i]);
            sum += difference * difference;
          }
          distances[a * n + b] = distances[b * n + a] = sum;
        }
      }
      return {};
    }));
    std::vector<double> scores(n);
    std::vector<double> others;
    for (std::size_t a = 0; a < n; ++a) {
      others.clear();
      for (std::size_t b = 0; b < n; ++b) {
        if (b != a) others.push_back(distances[a * n + b]);
      }
      std::sort(others.begin(), others.end());
      others.resize(static_cast<std::size_t>(nearest));
      scores[a] = std::accumulate(others.begin(), others.end(), 0.0);
    }
    return scores;
  }

  std::optional<std::int64_t> byzantine_;
  std::int64_t keep_;
};

constexpr StrategySetting kByzantine = {"byzantine", "as many as possible",
                                        "sites that may lie; a round needs 2 * byzantine + 3 updates"};
constexpr std::string_view kPaper =
    "Blanchard et al. 2017, Machine learning with adversaries: Byzantine tolerant gradient descent";

}  // namespace

const StrategyInfo kKrumInfo = {.kind = api::StrategyKind::kKrum,
                                .summary = "robust: the one update that is nearest to the others",
                                .paper = kPaper,
                                .settings = {kByzantine, kMemory},
                                .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
                                  return std::make_unique<Krum>(spec.byzantine, 1);
                                }};
const StrategyInfo kMultiKrumInfo = {
    .kind = api::StrategyKind::kMultiKrum,
    .summary = "robust: the mean of the updates that are nearest to the others",
    .paper = kPaper,
    .settings = {kByzantine, {"keep", "all but those that may lie", "updates that are averaged"}, kMemory},
    .make = [](const api::StrategySpec& spec) -> std::unique_ptr<Strategy> {
      return std::make_unique<Krum>(spec.byzantine, spec.keep.value_or(0));
    }};

}  // namespace ote::federate
