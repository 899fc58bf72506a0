#include "core/api/privacy.h"

#include "core/api/range.h"

namespace ote::api {

Result<void> Validate(const PrivacySpec& spec) {
  OTE_CHECK(CheckRange("privacy.noiseMultiplier", spec.noise_multiplier, 1e-3, 1e6));
  OTE_CHECK(CheckRange("privacy.clipNorm", spec.clip_norm, 1e-9, 1e9));
  OTE_CHECK(CheckRange("privacy.clipQuantile", spec.clip_quantile, 0.01, 0.99));
  OTE_CHECK(CheckRange("privacy.clipLearningRate", spec.clip_learning_rate, 1e-3, 10.0));
  OTE_CHECK(CheckRange("privacy.clipCountNoise", spec.clip_count_noise, 0.0, 1e9));
  OTE_CHECK(CheckRange("privacy.delta", spec.delta, 1e-30, 0.1));
  if (spec.max_epsilon) OTE_CHECK(CheckRange("privacy.maxEpsilon", *spec.max_epsilon, 1e-6, 1e9));
  return {};
}

}  // namespace ote::api
