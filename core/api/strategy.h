// How the updates of a round become the next model, what sites keep for themselves, and when a run has done enough:
// the `strategy`, `personalization`, `stop`, `checkpoints` and `record` parts of a run file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/codec.h"

namespace ote::api {

enum class StrategyKind {
  kFedAvg,
  kFedAvgM,
  kFedProx,
  kFedAdam,
  kFedYogi,
  kFedAdagrad,
  kScaffold,
  kFedNova,
  kFedBuff,
  kMedian,
  kTrimmedMean,
  kKrum,
  kMultiKrum
};

// One struct for all strategies: each reads its own settings. Those without a value have the default of the strategy,
// which core/federate's table of strategies tells.
struct StrategySpec {
  StrategyKind kind = StrategyKind::kFedAvg;
  std::optional<double> server_learning_rate;
  double server_momentum = 0.9;           // fedavgm
  double beta1 = 0.9;                     // fedadam, fedyogi
  double beta2 = 0.99;                    // fedadam, fedyogi
  double adaptivity = 1e-3;               // fedadam, fedyogi, fedadagrad: tau
  double proximal = 0.01;                 // fedprox: mu
  std::int64_t buffer = 10;               // fedbuff: updates that make a new model
  std::int64_t max_staleness = 10;        // fedbuff: models behind which an update is refused
  double staleness_exponent = 0.5;        // fedbuff: an update of staleness s weighs (1 + s)^-exponent
  double trim = 0.1;                      // trimmed-mean: the part of the values left out at each end
  std::optional<std::int64_t> byzantine;  // krum, multi-krum: sites that may lie
  std::optional<std::int64_t> keep;       // multi-krum: updates that are averaged
  std::optional<double> clip_norm;        // an update whose norm is greater is scaled down to it
  std::string memory = "256MiB";          // median, trimmed-mean, krum: updates beyond it stay on disk

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("serverLearningRate", self.server_learning_rate);
    v("serverMomentum", self.server_momentum);
    v("beta1", self.beta1);
    v("beta2", self.beta2);
    v("adaptivity", self.adaptivity);
    v("proximal", self.proximal);
    v("buffer", self.buffer);
    v("maxStaleness", self.max_staleness);
    v("stalenessExponent", self.staleness_exponent);
    v("trim", self.trim);
    v("byzantine", self.byzantine);
    v("keep", self.keep);
    v("clipNorm", self.clip_norm);
    v("memory", self.memory);
  }
  friend bool operator==(const StrategySpec&, const StrategySpec&) = default;
};
Result<void> Validate(const StrategySpec& spec);

enum class PersonalKind { kNone, kDitto, kLocalLayers };

// A model of its own for each site, which never leaves it.
struct PersonalSpec {
  PersonalKind kind = PersonalKind::kNone;
  double lambda = 0.1;              // ditto: how close the site's model stays to the common one
  std::vector<std::string> layers;  // local-layers: tensors by the beginning of their names, "layers.1"
  std::int64_t epochs = 1;          // of the site's own training in a round

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("lambda", self.lambda);
    v("layers", self.layers);
    v("epochs", self.epochs);
  }
  friend bool operator==(const PersonalSpec&, const PersonalSpec&) = default;
};
Result<void> Validate(const PersonalSpec& spec);

// A measure of a model; lower is better for loss and RMSE.
enum class Measure { kLoss, kAccuracy, kAuc, kRmse };
enum class Selection { kLast, kBest };

struct StopSpec {
  Measure metric = Measure::kLoss;
  std::optional<double> target;         // ends the run when reached
  std::int64_t patience = 0;            // ends it after so many rounds without an improvement; 0 for never
  double min_delta = 0;                 // what counts as an improvement
  Selection select = Selection::kLast;  // which round's model the run ends with

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("metric", self.metric);
    v("target", self.target);
    v("patience", self.patience);
    v("minDelta", self.min_delta);
    v("select", self.select);
  }
  friend bool operator==(const StopSpec&, const StopSpec&) = default;
};
Result<void> Validate(const StopSpec& spec);

// The models of past rounds that stay at the root.
struct CheckpointSpec {
  std::int64_t keep = 3;       // the newest
  std::string space = "1GiB";  // of all of them; older ones go first

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("keep", self.keep);
    v("space", self.space);
  }
  friend bool operator==(const CheckpointSpec&, const CheckpointSpec&) = default;
};
Result<void> Validate(const CheckpointSpec& spec);

// What stays for those who audit the run, ote fl verify.
enum class KeepUpdates { kDigests, kKeep };
struct RecordSpec {
  KeepUpdates updates = KeepUpdates::kDigests;  // keep: all that the aggregates can be made again from

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("updates", self.updates);
  }
  friend bool operator==(const RecordSpec&, const RecordSpec&) = default;
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::KeepUpdates> {
  using E = ote::api::KeepUpdates;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kDigests, "digests"}, {E::kKeep, "keep"}};
};
template <>
struct ote::EnumNames<ote::api::StrategyKind> {
  using E = ote::api::StrategyKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kFedAvg, "fedavg"},       {E::kFedAvgM, "fedavgm"},          {E::kFedProx, "fedprox"},
      {E::kFedAdam, "fedadam"},     {E::kFedYogi, "fedyogi"},          {E::kFedAdagrad, "fedadagrad"},
      {E::kScaffold, "scaffold"},   {E::kFedNova, "fednova"},          {E::kFedBuff, "fedbuff"},
      {E::kMedian, "median"},       {E::kTrimmedMean, "trimmed-mean"}, {E::kKrum, "krum"},
      {E::kMultiKrum, "multi-krum"}};
};
template <>
struct ote::EnumNames<ote::api::PersonalKind> {
  using E = ote::api::PersonalKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kNone, "none"}, {E::kDitto, "ditto"}, {E::kLocalLayers, "local-layers"}};
};
template <>
struct ote::EnumNames<ote::api::Measure> {
  using E = ote::api::Measure;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kLoss, "loss"}, {E::kAccuracy, "accuracy"}, {E::kAuc, "auc"}, {E::kRmse, "rmse"}};
};
template <>
struct ote::EnumNames<ote::api::Selection> {
  using E = ote::api::Selection;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kLast, "last"}, {E::kBest, "best"}};
};
