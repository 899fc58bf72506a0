// Secure aggregation: the `secureAggregation` part of a run file, ote-run(5).
#pragma once

#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::api {

enum class MaskKind { kNone, kPairwise };

// How updates are masked, so that the root sees their sum alone (Bonawitz et al. 2017; Bell et al. 2020, SecAgg+).
struct MasksSpec {
  MaskKind kind = MaskKind::kNone;
  double leaving = 0.3;    // the part of the round's sites that may leave at any step without losing the round
  double colluding = 0.1;  // the part that may tell the root all they know without laying another site open
  double bound = 1.0;      // values of an update are cut to [-bound, bound]; it sets the grain of the sum

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("leaving", self.leaving);
    v("colluding", self.colluding);
    v("bound", self.bound);
  }
  friend bool operator==(const MasksSpec&, const MasksSpec&) = default;
};
Result<void> Validate(const MasksSpec& spec);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::MaskKind> {
  using E = ote::api::MaskKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kNone, "none"}, {E::kPairwise, "pairwise"}};
};
