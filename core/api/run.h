// A federated run: what a user asks for (RunSpec), what a site is given (Task) and answers (UpdateOffer), and what is
// shown of it (Run).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/api/dataset.h"
#include "core/api/training.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class StrategyKind { kFedAvg };

struct StrategySpec {
  StrategyKind kind = StrategyKind::kFedAvg;  // FedAvg: McMahan et al. 2017

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
  }
  friend bool operator==(const StrategySpec&, const StrategySpec&) = default;
};

// Which sites take part.
struct SitesSpec {
  std::vector<std::string> clusters;  // exact names; empty for all that have the data set
  Labels selector;                    // labels that a site must carry, all of them
  double fraction = 1.0;              // of the eligible, drawn anew each round from the run's seed
  std::int64_t minimum = 1;           // updates without which a round does not close
  std::string deadline = "10m";       // of one round; past it the round closes without those that are missing

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("clusters", self.clusters);
    v("selector", self.selector);
    v("fraction", self.fraction);
    v("minimum", self.minimum);
    v("deadline", self.deadline);
  }
  friend bool operator==(const SitesSpec&, const SitesSpec&) = default;
};

// The run file, ote-run(5).
struct RunSpec {
  std::string name;  // "" for a generated one
  std::string dataset;
  DataTask task = DataTask::kClassification;
  ModelSpec model;
  TrainSpec training;
  StrategySpec strategy;
  SitesSpec sites;
  std::int64_t rounds = 10;
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
    v("rounds", self.rounds);
    v("seed", self.seed);
  }
  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};
// Ranges and combinations; kRunInvalid names the field. Called wherever a spec comes in.
Result<void> Validate(const RunSpec& spec);

enum class TaskKind { kTrain, kEvaluate };

// What a site is asked to do in one round. Everything that its answer depends on stands here.
struct Task {
  std::string run;
  std::int64_t round = 0;  // 1-based; an evaluation of the finished model has round rounds + 1
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

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
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
  }
};

// A site's answer: what it has, to be fetched by digest. The update is raw float32 little-endian: trained minus given,
// in layout order. An evaluation has no artifact.
struct UpdateOffer {
  std::string run;
  std::int64_t round = 0;
  TaskKind kind = TaskKind::kTrain;
  bool failed = false;
  std::int64_t error_code = 0;  // when failed
  std::string error;
  std::string digest;  // "" when failed or for an evaluation
  std::int64_t size = 0;
  std::int64_t examples = 0;  // the weight of the update
  double train_loss = 0;
  Metrics metrics;  // of the given model on the site's own held-out rows
  double seconds = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("kind", self.kind, kRequired);
    v("failed", self.failed);
    v("errorCode", self.error_code);
    v("error", self.error);
    v("digest", self.digest);
    v("size", self.size);
    v("examples", self.examples);
    v("trainLoss", self.train_loss);
    v("metrics", self.metrics);
    v("seconds", self.seconds);
  }
};

enum class RunStatus { kPending, kRunning, kPaused, kFinished, kFailed, kCancelled };

struct RoundSite {
  std::string name;
  std::int64_t examples = 0;
  std::string digest;  // of its update
  double train_loss = 0;
  Metrics metrics;  // of the model that the round started from
  double seconds = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("examples", self.examples);
    v("digest", self.digest);
    v("trainLoss", self.train_loss);
    v("metrics", self.metrics);
    v("seconds", self.seconds);
  }
};

struct Round {
  std::int64_t round = 0;
  std::vector<std::string> participants;  // whose updates are in the sum, sorted
  std::vector<std::string> left_out;      // asked and not in time, sorted
  std::vector<RoundSite> sites;           // sorted by name
  Metrics metrics;                        // of the model that the round made, once the sites have measured it
  std::string model_digest;
  double seconds = 0;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  UnixMillis started_at = 0;
  UnixMillis finished_at = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("participants", self.participants);
    v("leftOut", self.left_out);
    v("sites", self.sites);
    v("metrics", self.metrics);
    v("modelDigest", self.model_digest);
    v("seconds", self.seconds);
    v("bytesUp", self.bytes_up);
    v("bytesDown", self.bytes_down);
    v("startedAt", self.started_at);
    v("finishedAt", self.finished_at);
  }
};

struct Refusal {
  std::string reason;  // the error's code, "OTE-E0308"
  std::int64_t count = 0;
  std::string last_cluster;
  std::string last_message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("reason", self.reason, kRequired);
    v("count", self.count);
    v("lastCluster", self.last_cluster);
    v("lastMessage", self.last_message);
  }
};

struct ModelRef {
  std::string digest;
  std::int64_t size = 0;
  std::int64_t parameters = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest);
    v("size", self.size);
    v("parameters", self.parameters);
  }
};

// What `ote fl show` prints and `-o json` gives.
struct Run {
  static constexpr std::string_view kKind = "run";
  std::string id;
  RunStatus status = RunStatus::kPending;
  std::string message;  // why it waits or failed
  RunSpec spec;
  std::string request_id;
  std::int64_t features = 0;
  std::vector<std::string> classes;
  std::vector<Round> rounds;
  Metrics metrics;  // of the newest model that was measured
  ModelRef model;   // the newest
  std::vector<Refusal> refused;
  UnixMillis created_at = 0;
  UnixMillis finished_at = 0;

  std::string Key() const { return id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("status", self.status);
    v("message", self.message);
    v("spec", self.spec);
    v("requestId", self.request_id);
    v("features", self.features);
    v("classes", self.classes);
    v("rounds", self.rounds);
    v("metrics", self.metrics);
    v("model", self.model);
    v("refused", self.refused);
    v("createdAt", self.created_at);
    v("finishedAt", self.finished_at);
  }
  bool Over() const noexcept {
    return status == RunStatus::kFinished || status == RunStatus::kFailed || status == RunStatus::kCancelled;
  }
};

// A finished model in the registry of the root.
struct ModelEntry {
  static constexpr std::string_view kKind = "model";
  std::string name;  // of the run that made it
  std::string run;
  std::string digest;
  std::int64_t size = 0;
  std::int64_t parameters = 0;
  ModelSpec model;
  DataTask task = DataTask::kClassification;
  std::int64_t features = 0;
  std::vector<std::string> classes;
  Metrics metrics;
  UnixMillis created_at = 0;

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("run", self.run);
    v("digest", self.digest);
    v("size", self.size);
    v("parameters", self.parameters);
    v("model", self.model);
    v("task", self.task);
    v("features", self.features);
    v("classes", self.classes);
    v("metrics", self.metrics);
    v("createdAt", self.created_at);
  }
};

// One line of a run's history, `ote fl logs`.
struct RunEvent {
  std::int64_t seq = 0;
  UnixMillis at = 0;
  std::string
      kind;  // "round-started", "task-sent", "update-folded", "update-refused", "site-left-out", "round-finished", …
  std::int64_t round = 0;
  std::string cluster;
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("seq", self.seq);
    v("at", self.at);
    v("kind", self.kind, kRequired);
    v("round", self.round);
    v("cluster", self.cluster);
    v("message", self.message);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::StrategyKind> {
  using E = ote::api::StrategyKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kFedAvg, "fedavg"}};
};
template <>
struct ote::EnumNames<ote::api::TaskKind> {
  using E = ote::api::TaskKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kTrain, "train"}, {E::kEvaluate, "evaluate"}};
};
template <>
struct ote::EnumNames<ote::api::RunStatus> {
  using E = ote::api::RunStatus;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kPending, "pending"}, {E::kRunning, "running"},
                                                              {E::kPaused, "paused"},   {E::kFinished, "finished"},
                                                              {E::kFailed, "failed"},   {E::kCancelled, "cancelled"}};
};
