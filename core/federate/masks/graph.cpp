#include "core/federate/masks/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "crypto/mask_stream.h"
#include "crypto/shamir.h"

namespace ote::federate {
namespace {

constexpr double kSecrecy = 0x1p-60;
constexpr double kLoss = 0x1p-16;
// Fewer are one group, whatever the numbers allow.
constexpr std::size_t kOneGroup = 64;

// P[X >= from] for every `from`, for X of `marked` among `draws` out of `all`, each draw once.
class Tails {
 public:
  Tails(std::size_t all, std::size_t marked, std::size_t draws) : most_(std::min(marked, draws)) {
    if (marked == 0 || draws > all - marked) return;
    double probability = 1;
    for (std::size_t i = 0; i < draws; ++i) {
      probability *= static_cast<double>(all - marked - i) / static_cast<double>(all - i);
    }
    for (std::size_t x = 0; x <= most_; ++x) {
      sums_.push_back(probability);
      const auto up = static_cast<double>(marked - x) * static_cast<double>(draws - x);
      const auto down = static_cast<double>(x + 1) * static_cast<double>(all - marked - draws + x + 1);
      probability = probability * up / down;
    }
    // The small ones first.
    std::partial_sum(sums_.rbegin(), sums_.rend(), sums_.rbegin());
  }
  double From(std::size_t from) const noexcept {
    if (from > most_) return 0;
    if (sums_.empty()) return 1;  // none are marked, or so few are not that groups are no use
    return sums_[from];
  }

 private:
  std::size_t most_;
  std::vector<double> sums_;
};

// The greatest t that keeps the round, if it also keeps the secrets.
std::optional<std::size_t> NeededOf(std::size_t sites, std::size_t group, std::size_t colluding, std::size_t leaving) {
  const auto n = static_cast<double>(sites);
  double apart = n * n / 2;
  for (std::size_t i = 1; i < group; ++i) apart *= static_cast<double>(colluding + leaving) / n;
  if (apart > kSecrecy) return std::nullopt;
  const Tails leave(sites - 1, leaving, group - 1);
  const Tails collude(sites - 1, colluding, group - 1);
  for (std::size_t needed = group - 1; needed >= 2; --needed) {
    if (n * leave.From(group - needed) > kLoss) continue;
    if (n * collude.From(needed) <= kSecrecy) return needed;
    return std::nullopt;
  }
  return std::nullopt;
}

std::size_t PartOf(double part, std::int64_t sites) {
  return static_cast<std::size_t>(part * static_cast<double>(sites) + 1e-9);
}

}  // namespace

Result<MaskPlan> PlanMasks(std::int64_t sites, const api::MasksSpec& spec) {
  // A site reads these from a task: none of them is taken on trust.
  const auto part = [](double value) { return value >= 0 && value < 1; };
  if (!part(spec.colluding) || !part(spec.leaving)) {
    return Fail(ErrorId::kMaskTooFew, fmt::format("{} of the clusters may leave and {} collude: these are no parts",
                                                  spec.leaving, spec.colluding));
  }
  if (sites < kFewestMasked) {
    return Fail(ErrorId::kMaskTooFew, fmt::format("{} clusters, and a sum of masks needs {}", sites, kFewestMasked));
  }
  if (sites > kMostMasked) {
    return Fail(ErrorId::kMaskTooFew,
                fmt::format("{} clusters in one masked sum, and {} are possible", sites, kMostMasked),
                "let fewer take part in a round: sites.fraction");
  }
  MaskPlan plan;
  plan.sites = static_cast<std::size_t>(sites);
  const std::size_t colluding = PartOf(spec.colluding, sites);
  const std::size_t leaving = PartOf(spec.leaving, sites);
  plan.quorum = (plan.sites + colluding) / 2 + 1;
  if (plan.quorum + leaving > plan.sites) {
    return Fail(ErrorId::kMaskTooFew,
                fmt::format("of {} clusters {} may leave and {} collude, and then no list of survivors is sure", sites,
                            leaving, colluding),
                "lower secureAggregation.leaving or colluding: twice the one and the other must stay below 1");
  }
  const std::size_t most = plan.sites < kOneGroup ? 0 : std::min(crypto::kMostShares, plan.sites / 2);
  for (std::size_t group = 3; group <= most; group += 2) {
    const auto needed = NeededOf(plan.sites, group, colluding, leaving);
    if (!needed) continue;
    plan.group = group;
    plan.needed = *needed;
    return plan;
  }
  if (plan.sites > crypto::kMostShares) {
    return Fail(ErrorId::kMaskTooFew,
                fmt::format("{} clusters of which {} may leave and {} collude need groups of more than {}", sites,
                            leaving, colluding, crypto::kMostShares),
                "lower secureAggregation.leaving or colluding");
  }
  plan.group = plan.sites;
  plan.needed = plan.quorum;
  return plan;
}

std::size_t SignaturesToCheck(const MaskPlan& plan, std::size_t signatures) {
  double pass = static_cast<double>(plan.sites);
  std::size_t checked = 0;
  for (; checked < plan.quorum && pass > kSecrecy; ++checked) {
    pass *= static_cast<double>(plan.quorum - 1 - checked) / static_cast<double>(signatures - checked);
  }
  return checked;
}

MaskGraph::MaskGraph(const MaskPlan& plan, const crypto::Digest& seed)
    : sites_(plan.sites), reach_(plan.Complete() ? 0 : plan.group / 2) {
  if (reach_ == 0) return;
  order_.resize(sites_);
  placed_.resize(sites_);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  Bytes drawn(sites_ * sizeof(std::uint64_t));
  crypto::KeyStream(seed.bytes).Next(drawn);
  for (std::size_t i = sites_; i > 1; --i) {
    std::uint64_t random = 0;
    std::memcpy(&random, drawn.data() + (i - 1) * sizeof random, sizeof random);
    std::swap(order_[i - 1], order_[static_cast<std::size_t>(random % i)]);
  }
  for (std::size_t place = 0; place < sites_; ++place) placed_[order_[place]] = place;
}

std::vector<std::size_t> MaskGraph::Group(std::size_t site) const {
  std::vector<std::size_t> out;
  if (reach_ == 0) {
    out.resize(sites_);
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
  }
  for (std::size_t step = 0; step <= 2 * reach_; ++step) {
    out.push_back(order_[(placed_[site] + sites_ + step - reach_) % sites_]);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace ote::federate
