// An app as it is deployed: the workload, where it goes, and how a new revision gets there. ote-app(5) is the file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/app.h"

namespace ote::api {

enum class PlacementStrategy { kSpread, kBinpack, kLatency, kCost };
// Clusters that the selector matches are liked better by the weight.
struct Preference {
  std::string selector;
  std::int64_t weight = 10;  // -1000 to 1000; the strategy's own part is 0 to 100

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("selector", self.selector, kRequired);
    v("weight", self.weight);
  }
  friend bool operator==(const Preference&, const Preference&) = default;
};
// Selectors are core/tree/selector.h's, as text; "*" is everybody.
struct PlacementSpec {
  std::string selector;
  std::vector<std::string> clusters;     // by name; with a selector, what either names
  std::optional<std::int64_t> replicas;  // clusters that take it; absent: each that matches
  PlacementStrategy strategy = PlacementStrategy::kSpread;
  std::vector<std::string> constraints;  // selectors that must hold
  std::vector<Preference> prefer;
  std::string spread_by;  // the label over whose values they are spread; "" for none

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("selector", self.selector);
    v("clusters", self.clusters);
    v("replicas", self.replicas);
    v("strategy", self.strategy);
    v("constraints", self.constraints);
    v("prefer", self.prefer);
    v("spreadBy", self.spread_by);
  }
  bool Empty() const noexcept { return selector.empty() && clusters.empty(); }
  friend bool operator==(const PlacementSpec&, const PlacementSpec&) = default;
};

enum class OnFailure { kStop, kRollback };
struct RolloutSpec {
  std::int64_t max_unavailable = 0;           // clusters at a time; 0: by the share
  std::int64_t max_unavailable_percent = 25;  // of those that are there, rounded up
  std::string canary;                         // selector of those that go first; "" for none
  std::int64_t health_ms = 300'000;           // within which a cluster must be healthy with the revision
  OnFailure on_failure = OnFailure::kStop;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("maxUnavailable", self.max_unavailable);
    v("maxUnavailablePercent", self.max_unavailable_percent);
    v("canary", self.canary);
    v("healthMs", self.health_ms);
    v("onFailure", self.on_failure);
  }
  friend bool operator==(const RolloutSpec&, const RolloutSpec&) = default;
};

struct AppSpec {
  std::string name;
  Workload workload;
  PlacementSpec placement;
  RolloutSpec rollout;
  std::int64_t replace_after_ms = 0;  // a cluster away for this long is given up for another; 0: never

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("workload", self.workload, kRequired);
    v("placement", self.placement);
    v("rollout", self.rollout);
    v("replaceAfterMs", self.replace_after_ms);
  }
  friend bool operator==(const AppSpec&, const AppSpec&) = default;
};
// Bounds and names; kAppInvalid. Selectors are left to who has them.
Result<void> Validate(const AppSpec& spec);
std::string DigestOf(const AppSpec& spec);
// Without what may not be shown: values of secret variables, and of Secrets among the manifests.
Workload Shown(Workload workload);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::PlacementStrategy> {
  using E = ote::api::PlacementStrategy;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kSpread, "spread"}, {E::kBinpack, "binpack"}, {E::kLatency, "latency"}, {E::kCost, "cost"}};
};
template <>
struct ote::EnumNames<ote::api::OnFailure> {
  using E = ote::api::OnFailure;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kStop, "stop"}, {E::kRollback, "rollback"}};
};
