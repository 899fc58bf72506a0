// What a site is given in a round (Task) and what it answers (UpdateOffer).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/mask_messages.h"
#include "core/api/run_spec.h"
#include "core/api/statement.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// A survey asks for statistics of the rows; it comes before the first round, as round 0. A round whose updates are
// masked has five steps: keys, shares, train, consent, unmask.
enum class TaskKind { kTrain, kEvaluate, kSurvey, kMaskKeys, kMaskShares, kMaskConsent, kMaskUnmask };
// Whether it is a step that needs neither rows nor a model.
constexpr bool IsMaskStep(TaskKind kind) noexcept {
  return kind == TaskKind::kMaskKeys || kind == TaskKind::kMaskShares || kind == TaskKind::kMaskConsent ||
         kind == TaskKind::kMaskUnmask;
}

// What a strategy wants of a site's training beside the TrainSpec.
struct LocalPlan {
  double proximal = 0;         // mu: mu * (w - given) is added to the gradient
  bool normalize = false;      // the update is divided by its steps (FedNova)
  bool control = false;        // SCAFFOLD: the update is followed by the change of the site's control variate
  std::string control_digest;  // the artifact of the root's control variate: raw float32; "" for zeros
  std::int64_t control_size = 0;
  PersonalSpec personal;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("proximal", self.proximal);
    v("normalize", self.normalize);
    v("control", self.control);
    v("controlDigest", self.control_digest);
    v("controlSize", self.control_size);
    v("personal", self.personal);
  }
};

// What a site is asked to do in one round. Everything that its answer depends on stands here.
struct Task {
  std::string run;
  std::int64_t round = 0;  // 1-based; an evaluation of the finished model has round rounds + 1
  std::int64_t stage = 0;  // of a masked round, ascending: a later one ends those before it; 0 for a round of one task
  TaskKind kind = TaskKind::kTrain;
  std::string dataset;
  DataTask task = DataTask::kClassification;
  ModelSpec model;
  TrainSpec training;
  std::int64_t features = 0;
  std::vector<std::string> classes;
  std::string model_digest;  // the artifact to fetch: safetensors
  std::int64_t model_size = 0;
  BigId seed;               // of this site in this round
  UnixMillis deadline = 0;  // the root's; informative
  LocalPlan local;
  Preparation preparation;
  PrepareSpec survey;  // what the statistics are for
  TrainerKind trainer = TrainerKind::kBuiltin;
  TaskPrivacy privacy;
  std::optional<RelayKind> relays;             // fold: those on the way read the update; not there for carry
  std::optional<MaskTask> masks;               // of a step of a masked round
  std::optional<CompressionSpec> compression;  // of the update; not there for none

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("stage", self.stage);
    v("kind", self.kind, kRequired);
    v("dataset", self.dataset, kRequired);
    v("task", self.task, kRequired);
    v("model", self.model, kRequired);
    v("training", self.training, kRequired);
    v("features", self.features, kRequired);
    v("classes", self.classes, kRequired);
    v("modelDigest", self.model_digest, kRequired);
    v("modelSize", self.model_size, kRequired);
    v("seed", self.seed, kRequired);
    v("deadline", self.deadline);
    v("local", self.local);
    v("preparation", self.preparation);
    v("survey", self.survey);
    v("trainer", self.trainer);
    v("privacy", self.privacy);
    v("relays", self.relays);
    v("masks", self.masks);
    v("compression", self.compression);
  }
};

// Where a site's time went.
struct Phases {
  double wait = 0;     // for the worker
  double fetch = 0;    // of the model
  double prepare = 0;  // reading the rows and bringing them into form
  double measure = 0;
  double train = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("wait", self.wait);
    v("fetch", self.fetch);
    v("prepare", self.prepare);
    v("measure", self.measure);
    v("train", self.train);
  }
};

// A site's answer: what it has, to be fetched by digest. The update is raw float32 little-endian: trained minus given,
// in layout order. A masked one is uint32 little-endian, core/federate/masks; one that is compressed has a form of its
// own, core/federate/compress. An evaluation has no artifact.
struct UpdateOffer {
  std::string run;
  std::int64_t round = 0;
  std::int64_t stage = 0;  // of the task
  TaskKind kind = TaskKind::kTrain;
  bool failed = false;
  std::int64_t error_code = 0;  // when failed
  std::string error;
  std::string phase;   // when failed: "fetch", "prepare", "measure", "train", "write"
  std::string hint;    // when failed: what to try at the site
  std::string digest;  // "" when failed or for an evaluation
  std::int64_t size = 0;
  std::int64_t examples = 0;  // the weight of the update
  double train_loss = 0;
  Metrics metrics;  // of the given model on the site's own held-out rows
  double seconds = 0;
  double steps = 0;                          // local steps behind the update, as FedNova counts them
  Metrics personal;                          // of the site's own model; no rows when it has none
  std::optional<DataStatistics> statistics;  // the answer to a survey
  Phases phases;
  std::string trainer;                     // the name of the site's own, "" for the built-in
  std::optional<SiteStatement> statement;  // of all that did not fail
  std::optional<bool> within;              // adaptive clipping: whether the norm left the update alone
  Bytes masks;                             // the answer to a step of a masked round, mask_messages.h

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("stage", self.stage);
    v("kind", self.kind, kRequired);
    v("failed", self.failed);
    v("errorCode", self.error_code);
    v("error", self.error);
    v("phase", self.phase);
    v("hint", self.hint);
    v("digest", self.digest);
    v("size", self.size);
    v("examples", self.examples);
    v("trainLoss", self.train_loss);
    v("metrics", self.metrics);
    v("seconds", self.seconds);
    v("steps", self.steps);
    v("personal", self.personal);
    v("statistics", self.statistics);
    v("phases", self.phases);
    v("trainer", self.trainer);
    v("statement", self.statement);
    v("within", self.within);
    v("masks", self.masks);
  }
};

// What a round asks of a site at a time, by which files that are carried by hand are told apart: "train", and of a
// round with masks "train/3". `of` is a task or an offer.
template <class T>
std::string StepOf(const T& of) {
  std::string step(NameOf(of.kind));
  return of.stage == 0 ? step : step + "/" + std::to_string(of.stage);
}

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::TaskKind> {
  using E = ote::api::TaskKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kTrain, "train"},           {E::kEvaluate, "evaluate"},      {E::kSurvey, "survey"},
      {E::kMaskKeys, "mask-keys"},    {E::kMaskShares, "mask-shares"}, {E::kMaskConsent, "mask-consent"},
      {E::kMaskUnmask, "mask-unmask"}};
};
