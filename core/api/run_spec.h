// What a user asks for: the run file, ote-run(5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/api/compression.h"
#include "core/api/dataset.h"
#include "core/api/masks.h"
#include "core/api/prepare.h"
#include "core/api/privacy.h"
#include "core/api/relays.h"
#include "core/api/strategy.h"
#include "core/api/training.h"
#include "core/base/codec.h"

namespace ote::api {

// What sites must be like: a map of labels, all of which a site carries with these values, or a selector as text
// (core/tree/selector.h). It is spelled as the one or the other. The map of no labels is for everybody.
struct SiteSelector {
  Labels labels;
  std::optional<std::string> text;  // in the place of labels; federate::CheckPlan tells whether it can be read

  friend bool operator==(const SiteSelector&, const SiteSelector&) = default;
};

// Which sites take part.
struct SitesSpec {
  std::vector<std::string> clusters;  // exact names; empty for all that have the data set
  SiteSelector selector;
  double fraction = 1.0;             // of the eligible, drawn anew each round from the run's seed
  std::int64_t minimum = 1;          // updates without which a round does not close
  std::string deadline = "10m";      // of one round; past it the round closes without those that are missing
  std::string hand_deadline = "7d";  // the same, for those to whom it is carried by hand

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("clusters", self.clusters);
    v("selector", self.selector);
    v("fraction", self.fraction);
    v("minimum", self.minimum);
    v("deadline", self.deadline);
    v("handDeadline", self.hand_deadline);
  }
  friend bool operator==(const SitesSpec&, const SitesSpec&) = default;
};

// Who trains at a site: ote itself, a command that the site's operator registered, or that command where there is one.
enum class TrainerKind { kBuiltin, kExec, kAny };

// The run file, ote-run(5).
struct RunSpec {
  std::string name;  // "" for a generated one
  std::string dataset;
  DataTask task = DataTask::kClassification;
  ModelSpec model;
  TrainSpec training;
  StrategySpec strategy;
  SitesSpec sites;
  PrepareSpec prepare;
  PersonalSpec personalization;
  StopSpec stop;
  CheckpointSpec checkpoints;
  RecordSpec record;
  MasksSpec masks;
  PrivacySpec privacy;
  CompressionSpec compression;
  RelayKind relays = RelayKind::kCarry;
  TrainerKind trainer = TrainerKind::kBuiltin;
  std::string from;          // a model of this root to start from, see model_entry.h; "" for fresh parameters
  std::string model_name;    // under which the model is registered, as its next version; "" for the name of the run
  std::int64_t rounds = 10;  // a model that counts its rounds itself (gbt) passes it over
  std::int64_t seed = 1;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name);
    v("dataset", self.dataset, kRequired);
    v("task", self.task);
    v("model", self.model, kRequired);
    v("training", self.training);
    v("strategy", self.strategy);
    v("sites", self.sites);
    v("prepare", self.prepare);
    v("personalization", self.personalization);
    v("stop", self.stop);
    v("checkpoints", self.checkpoints);
    v("record", self.record);
    v("secureAggregation", self.masks);
    v("privacy", self.privacy);
    v("compression", self.compression);
    v("relays", self.relays);
    v("trainer", self.trainer);
    v("from", self.from);
    v("modelName", self.model_name);
    v("rounds", self.rounds);
    v("seed", self.seed);
  }
  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};
// Ranges and combinations; kRunInvalid names the field. Called wherever a spec comes in.
Result<void> Validate(const RunSpec& spec);

}  // namespace ote::api

template <>
ote::Json ote::codec::Encode(const ote::api::SiteSelector& selector);
template <>
ote::Result<void> ote::codec::Decode(const ote::Json& json, ote::api::SiteSelector& out, const std::string& at,
                                     const Reader& reader);

template <>
struct ote::EnumNames<ote::api::TrainerKind> {
  using E = ote::api::TrainerKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kBuiltin, "builtin"}, {E::kExec, "exec"}, {E::kAny, "any"}};
};
