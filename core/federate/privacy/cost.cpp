#include "core/federate/privacy/cost.h"

#include <fmt/format.h>

#include <cmath>

namespace ote::federate {
namespace {

// The least noise multiplier, to two digits, with which the run costs no more than it may.
double NoiseThatWouldDo(api::RunSpec spec) {
  double low = spec.privacy.noise_multiplier;
  double high = low;
  const auto cost = [&spec](double noise) {
    spec.privacy.noise_multiplier = noise;
    return CostOf(spec, 0, spec.rounds).planned_epsilon;
  };
  while (cost(high) > *spec.privacy.max_epsilon) high *= 2;
  while (high - low > high * 0.002) {
    const double middle = (low + high) / 2;
    (cost(middle) > *spec.privacy.max_epsilon ? low : high) = middle;
  }
  const double step = std::pow(10, std::floor(std::log10(high)) - 1);
  return std::ceil(high / step) * step;
}

}  // namespace

RdpCurve RoundCost(const api::RunSpec& spec) {
  const double noise = spec.privacy.noise_multiplier;
  const bool drawn = spec.privacy.kind == api::NoiseKind::kCentral && spec.sites.fraction < 1;
  return drawn ? SampledGaussianCost(spec.sites.fraction, noise) : GaussianCost(noise);
}

RdpCurve SiteRoundCost(const api::TaskPrivacy& privacy) { return GaussianCost(privacy.noise); }

api::PrivacyCost CostOf(const api::RunSpec& spec, std::int64_t rounds, std::int64_t planned) {
  api::PrivacyCost cost;
  cost.delta = spec.privacy.delta;
  cost.rounds = rounds;
  cost.clip_norm = spec.privacy.clip_norm;
  const RdpCurve one = RoundCost(spec);
  cost.epsilon = EpsilonOf(one.Times(static_cast<double>(rounds)), cost.delta);
  cost.planned_epsilon = EpsilonOf(one.Times(static_cast<double>(planned)), cost.delta);
  const RdpCurve site = GaussianCost(spec.privacy.noise_multiplier);
  cost.site_epsilon = EpsilonOf(site.Times(static_cast<double>(planned)), cost.delta);
  return cost;
}

Result<void> CheckCost(const api::RunSpec& spec) {
  if (spec.privacy.kind == api::NoiseKind::kNone || !spec.privacy.max_epsilon) return {};
  const api::PrivacyCost cost = CostOf(spec, 0, spec.rounds);
  if (cost.planned_epsilon <= *spec.privacy.max_epsilon) return {};
  return Fail(ErrorId::kRunTooCostly,
              fmt::format("privacy.maxEpsilon: {} rounds would cost {}, and {} is allowed", spec.rounds,
                          EpsilonText(cost.planned_epsilon, cost.delta), *spec.privacy.max_epsilon),
              fmt::format("set privacy.noiseMultiplier: {:.6g}", NoiseThatWouldDo(spec)));
}

std::string EpsilonText(double epsilon, double delta) {
  if (!std::isfinite(epsilon)) return "ε without bound";
  return fmt::format("ε {:.4g} (δ {:g})", epsilon, delta);
}

}  // namespace ote::federate
