// Differential privacy: the `privacy` part of a run file, ote-run(5) and ote-privacy(7).
#pragma once

#include <optional>

#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::api {

// Who adds the noise: nobody, the root to the sum, the sites each a part of it under masks, or each site all of it.
enum class NoiseKind { kNone, kCentral, kDistributed, kLocal };
enum class ClipKind { kFixed, kAdaptive };

// The unit that is hidden is a site: its whole data set of one run.
struct PrivacySpec {
  NoiseKind kind = NoiseKind::kNone;
  double noise_multiplier = 1.0;  // standard deviation of the noise in a sum, by the clipping norm
  double clip_norm = 1.0;         // of an update, before it is weighed; with adaptive clipping the first one
  ClipKind clipping = ClipKind::kFixed;
  double clip_quantile = 0.5;       // adaptive: the part of the updates that the norm should leave alone
  double clip_learning_rate = 0.2;  // adaptive
  double clip_count_noise = 0;      // adaptive: standard deviation of the noise in the count; 0 for participants / 20
  double delta = 1e-5;
  std::optional<double> max_epsilon;  // a run that would cost more is refused before it starts

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("noiseMultiplier", self.noise_multiplier);
    v("clipNorm", self.clip_norm);
    v("clipping", self.clipping);
    v("clipQuantile", self.clip_quantile);
    v("clipLearningRate", self.clip_learning_rate);
    v("clipCountNoise", self.clip_count_noise);
    v("delta", self.delta);
    v("maxEpsilon", self.max_epsilon);
  }
  friend bool operator==(const PrivacySpec&, const PrivacySpec&) = default;
};
Result<void> Validate(const PrivacySpec& spec);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::NoiseKind> {
  using E = ote::api::NoiseKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kNone, "none"}, {E::kCentral, "central"}, {E::kDistributed, "distributed"}, {E::kLocal, "local"}};
};
template <>
struct ote::EnumNames<ote::api::ClipKind> {
  using E = ote::api::ClipKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kFixed, "fixed"}, {E::kAdaptive, "adaptive"}};
};
