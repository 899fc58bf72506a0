// Differential privacy: the `privacy` part of a run file, ote-run(5) and ote-privacy(7), and what of it travels.
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
  // adaptive: standard deviation of the noise in the count of such updates; 0 for a twentieth of the sites that a round
  // asks, and at least the noise multiplier
  double clip_count_noise = 0;
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

// What a site is told of it in a task.
struct TaskPrivacy {
  NoiseKind kind = NoiseKind::kNone;
  double noise = 0;       // what the round costs: the deviation of all its noise, by the clipping norm
  double clip_norm = 0;   // of this round
  double sum_noise = 0;   // of the sum alone: greater, when a part is spent on the count
  bool counts = false;    // the site says whether the norm left its update alone
  std::int64_t unit = 1;  // the weight of a fresh update in the sum

  bool Private() const noexcept { return kind != NoiseKind::kNone; }
  // Whether the root may learn no measure: the noise is to protect from it.
  bool HidesFromRoot() const noexcept { return kind == NoiseKind::kLocal || kind == NoiseKind::kDistributed; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("noise", self.noise);
    v("clipNorm", self.clip_norm);
    v("sumNoise", self.sum_noise);
    v("counts", self.counts);
    v("unit", self.unit);
  }
};
// Ranges: kRunInvalid.
Result<void> Validate(const TaskPrivacy& privacy);

// What the operator of a site allows the runs on a data set to learn: `ote data add --privacy-budget`.
struct PrivacyTerms {
  std::optional<double> epsilon;  // of all runs together; without it anything goes, and what is spent is counted
  double delta = 1e-5;
  NoiseKind noise = NoiseKind::kCentral;  // or a stricter kind, in the order of NoiseKind

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("epsilon", self.epsilon);
    v("delta", self.delta);
    v("noise", self.noise);
  }
};
// kUsage, naming the flag.
Result<void> Validate(const PrivacyTerms& terms);

// What `ote data show` prints of it. Stays at the site.
struct DatasetPrivacy {
  std::optional<double> budget;
  double delta = 1e-5;
  NoiseKind noise = NoiseKind::kCentral;
  std::optional<double> spent = 0;  // ε for this δ; absent when it has no bound
  std::optional<double> left;       // of the budget
  std::int64_t rounds = 0;          // that were charged
  std::int64_t unprotected = 0;     // answers without noise, from before there was a budget; not in `spent`

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("budget", self.budget);
    v("delta", self.delta);
    v("noise", self.noise);
    v("spent", self.spent);
    v("left", self.left);
    v("rounds", self.rounds);
    v("unprotected", self.unprotected);
  }
};

// What a run costs, as `ote fl show` prints it.
struct PrivacyCost {
  double delta = 0;
  double epsilon = 0;            // of the rounds so far, to who sees the models
  double planned_epsilon = 0;    // of the whole run
  double site_epsilon = 0;       // of the whole run, to a site's ledger when it takes part in every round
  std::int64_t rounds = 0;       // so far
  double clip_norm = 0;          // of the next round
  std::optional<double> within;  // adaptive: the part of the last round's updates that it left alone, with noise

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("delta", self.delta);
    v("epsilon", self.epsilon);
    v("plannedEpsilon", self.planned_epsilon);
    v("siteEpsilon", self.site_epsilon);
    v("rounds", self.rounds);
    v("clipNorm", self.clip_norm);
    v("within", self.within);
  }
};

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
