#include "core/api/privacy.h"

#include "core/api/range.h"

namespace ote::api {

Result<void> Validate(const PrivacySpec& spec) {
  OTE_CHECK(CheckRange("privacy.noiseMultiplier", spec.noise_multiplier, 1e-2, 1e5));
  OTE_CHECK(CheckRange("privacy.clipNorm", spec.clip_norm, 1e-6, 1e6));
  // What the grid of a sum can hold, core/federate/privacy/noise.h; adaptive clipping takes up to twice the noise.
  OTE_CHECK(
      CheckRange("privacy.noiseMultiplier times privacy.clipNorm", spec.noise_multiplier * spec.clip_norm, 1e-5, 1e3));
  OTE_CHECK(CheckRange("privacy.clipQuantile", spec.clip_quantile, 0.01, 0.99));
  OTE_CHECK(CheckRange("privacy.clipLearningRate", spec.clip_learning_rate, 1e-3, 10.0));
  OTE_CHECK(CheckRange("privacy.clipCountNoise", spec.clip_count_noise, 0.0, 1e9));
  OTE_CHECK(CheckRange("privacy.delta", spec.delta, 1e-30, 0.1));
  if (spec.max_epsilon) OTE_CHECK(CheckRange("privacy.maxEpsilon", *spec.max_epsilon, 1e-6, 1e9));
  return {};
}

Result<void> Validate(const PrivacyTerms& terms) {
  // Written so that NaN fails.
  if (terms.epsilon && !(*terms.epsilon > 0 && *terms.epsilon <= 1e6)) {
    return Fail(ErrorId::kUsage, fmt::format("privacy budget {}: above 0 and at most 1e6", *terms.epsilon));
  }
  if (!(terms.delta >= 1e-30 && terms.delta <= 0.1)) {
    return Fail(ErrorId::kUsage, fmt::format("privacy delta {}: from 1e-30 to 0.1", terms.delta));
  }
  if (terms.noise != NoiseKind::kNone) return {};
  return Fail(ErrorId::kUsage, "privacy noise none: a budget needs noise", "central, distributed or local");
}

Result<void> Validate(const TaskPrivacy& privacy) {
  if (!privacy.Private()) return {};
  OTE_CHECK(CheckRange("privacy.noise", privacy.noise, 1e-2, 1e5));
  OTE_CHECK(CheckRange("privacy.sumNoise", privacy.sum_noise, 1e-2, 1e6));
  OTE_CHECK(CheckRange("privacy.clipNorm", privacy.clip_norm, 1e-9, 1e9));
  for (const double noise : {privacy.noise, privacy.sum_noise}) {
    OTE_CHECK(CheckRange("privacy.noise times privacy.clipNorm", noise * privacy.clip_norm, 1e-6, 1e4));
  }
  return CheckRange<std::int64_t>("privacy.unit", privacy.unit, 1, 1 << 16);
}

}  // namespace ote::api
