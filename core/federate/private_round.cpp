// Rounds of a run with noise: what sites are told, who is drawn, and the noise that the root adds.
//
// What central noise is made from is drawn once for a run and kept with its state: a root that comes back makes the
// same model of the same updates, and has no second draw that could be averaged with the first. The draws are bound to
// the updates too, so that another sum never has the same noise.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/federate/privacy/cost.h"
#include "core/federate/privacy/discrete_gaussian.h"
#include "core/federate/privacy/noise.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"
#include "crypto/random_stream.h"
#include "crypto/secret.h"

namespace ote::federate {
namespace {

constexpr std::size_t kSecret = 32;
// Units of one vote in the count of updates within the norm: fine enough for any noise.
constexpr std::int64_t kVote = 1 << 16;

}  // namespace

bool RunMachine::State::Central() const noexcept { return kept.run.spec.privacy.kind == api::NoiseKind::kCentral; }
bool RunMachine::State::Private() const noexcept { return kept.run.spec.privacy.kind != api::NoiseKind::kNone; }
bool RunMachine::State::DrawnByChance() const noexcept { return Central() && kept.run.spec.sites.fraction < 1; }

void RunMachine::State::BeginPrivacy() {
  if (!Private()) return;
  kept.clip_norm = kept.run.spec.privacy.clip_norm;
  if (Central()) {
    const crypto::SecretBytes secret = crypto::SecretBytes::Random(kSecret);
    kept.secret.assign(secret.View().begin(), secret.View().end());
  }
  NoteCost();
}

void RunMachine::State::NoteCost() {
  if (!Private()) return;
  const std::optional<double> within = kept.run.privacy ? kept.run.privacy->within : std::nullopt;
  kept.run.privacy = CostOf(kept.run.spec, static_cast<std::int64_t>(kept.run.rounds.size()), Planned());
  kept.run.privacy->clip_norm = kept.clip_norm;
  kept.run.privacy->within = within;
}

std::optional<std::string> RunMachine::State::TooCostly() const {
  const auto& most = kept.run.spec.privacy.max_epsilon;
  if (!Private() || !most) return std::nullopt;
  const auto next = static_cast<std::int64_t>(kept.run.rounds.size()) + 1;
  const api::PrivacyCost cost = CostOf(kept.run.spec, next, next);
  if (cost.epsilon <= *most) return std::nullopt;
  return fmt::format("another round would bring it to {}, and {} is allowed", EpsilonText(cost.epsilon, cost.delta),
                     *most);
}

// A twentieth of the sites that a round asks, as the paper has it; and no less than leaves most of the noise to the
// sum.
double RunMachine::State::CountNoise() {
  const api::PrivacySpec& spec = kept.run.spec.privacy;
  if (spec.clip_count_noise > 0) return spec.clip_count_noise;
  const double asked = kept.run.spec.sites.fraction * static_cast<double>(Pool().size());
  return std::max(asked / 20, spec.noise_multiplier);
}

api::TaskPrivacy RunMachine::State::PrivacyOfTask() {
  const api::PrivacySpec& spec = kept.run.spec.privacy;
  api::TaskPrivacy out;
  out.kind = spec.kind;
  if (!Private()) return out;
  out.noise = spec.noise_multiplier;
  out.sum_noise = SumNoise();
  out.clip_norm = kept.clip_norm;
  out.counts = spec.clipping == api::ClipKind::kAdaptive;
  out.unit = Unit();
  return out;
}

double RunMachine::State::SumNoise() {
  const api::PrivacySpec& spec = kept.run.spec.privacy;
  return spec.clipping == api::ClipKind::kAdaptive ? NoiseBesideCount(spec.noise_multiplier, kept.open->count_noise)
                                                   : spec.noise_multiplier;
}

// Each site by a draw of its own, from what nobody else knows: that is what the accountant counts with.
void RunMachine::State::DrawSites(std::vector<const Site*>& pool, std::int64_t round) const {
  const double fraction = kept.run.spec.sites.fraction;
  std::erase_if(pool, [&](const Site* site) {
    crypto::RandomStream random(kept.secret, fmt::format("draw/{}/{}/{}", kept.run.id, round, site->name));
    return static_cast<double>(random.Next() >> 11) * 0x1p-53 >= fraction;
  });
}

Grid RunMachine::State::GridOfSum() {
  if (!Central()) return *ChooseGrid(kept.open->capacity);
  const NoiseGrid grid = ChooseNoiseGrid(SumNoise(), kept.clip_norm, Unit());
  return {grid.exponent, kMostPrivateSites * Unit()};
}

Result<void> RunMachine::State::FoldClipped(std::vector<float> values, std::int64_t weight) {
  const NoiseGrid grid = ChooseNoiseGrid(SumNoise(), kept.clip_norm, Unit());
  ClipToNorm(values, ClipTarget(grid, kept.clip_norm, Unit(), values.size()));
  return sum->Fold(values, weight);
}

void RunMachine::State::AddNoiseToSum() {
  if (!Central()) return;
  std::string context = fmt::format("noise/{}/{}", kept.run.id, kept.open->round);
  std::int64_t folded = 0;
  std::int64_t votes = 0;
  for (const Asked& asked : kept.open->asked) {
    if (asked.answer != Answer::kFolded) continue;
    context += fmt::format("/{} {}", asked.name, asked.result.digest);
    votes += asked.within ? 1 : -1;
    ++folded;
  }
  crypto::RandomStream random(kept.secret, context);
  const NoiseGrid grid = ChooseNoiseGrid(SumNoise(), kept.clip_norm, Unit());
  AddNoise(sum->Values(), grid.sigma, random);
  // How many were drawn by chance must not show: the sum is divided by how many are to be expected.
  if (DrawnByChance()) {
    folded = std::llround(kept.run.spec.sites.fraction * static_cast<double>(Pool().size()));
    sum->SetWeight(std::max<std::int64_t>(1, folded));
  }
  Tell("noise-added", "",
       fmt::format("deviation {:.4g} in the sum of updates of norm {:.4g}", SumNoise() * kept.clip_norm,
                   kept.clip_norm));
  if (kept.run.spec.privacy.clipping == api::ClipKind::kAdaptive) AdaptClipNorm(votes, folded, random);
}

// Andrew, Thakkar, McMahan and Ramaswamy 2021, algorithm 1: the norm follows a quantile of the updates' norms,
// geometrically. A site's vote is 1/2 or -1/2, so that with or without it the count differs by half as much.
void RunMachine::State::AdaptClipNorm(std::int64_t votes, std::int64_t voters, crypto::RandomStream& random) {
  const api::PrivacySpec& spec = kept.run.spec.privacy;
  const auto sigma = static_cast<std::int64_t>(std::ceil(2 * kept.open->count_noise * static_cast<double>(kVote)));
  const std::int64_t noisy = votes * kVote + DrawDiscreteGaussian(std::min(sigma, kMostSigma), random);
  const double within =
      0.5 + static_cast<double>(noisy) / (2.0 * kVote * static_cast<double>(std::max<std::int64_t>(1, voters)));
  const double next = kept.clip_norm * std::exp(-spec.clip_learning_rate * (within - spec.clip_quantile));
  const double noise = 2.1 * spec.noise_multiplier;  // that of the sum is less than this
  kept.clip_norm = std::clamp(next, 2 * kLeastDeviation / spec.noise_multiplier, kMostDeviation / noise);
  kept.run.privacy->within = std::clamp(within, 0.0, 1.0);
}

}  // namespace ote::federate
