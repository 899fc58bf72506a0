// A federated run as its root keeps and shows it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/model_entry.h"
#include "core/api/run_spec.h"
#include "core/api/task.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class RunStatus { kPending, kRunning, kPaused, kFinished, kFailed, kCancelled };

struct RoundSite {
  std::string name;
  std::int64_t examples = 0;
  std::string digest;  // of its update
  double train_loss = 0;
  Metrics metrics;  // of the model that the round started from
  double seconds = 0;
  double steps = 0;
  Metrics personal;
  Phases phases;
  std::string trainer;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  std::int64_t staleness = 0;  // rounds between the model that it trained from and the one it went into

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("examples", self.examples);
    v("digest", self.digest);
    v("trainLoss", self.train_loss);
    v("metrics", self.metrics);
    v("seconds", self.seconds);
    v("steps", self.steps);
    v("personal", self.personal);
    v("phases", self.phases);
    v("trainer", self.trainer);
    v("bytesUp", self.bytes_up);
    v("bytesDown", self.bytes_down);
    v("staleness", self.staleness);
  }
};

// A site that could not do its part of a round.
struct SiteFailure {
  std::string name;
  std::string phase;
  std::string code;  // "OTE-E0312"
  std::string message;
  std::string hint;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("phase", self.phase);
    v("code", self.code);
    v("message", self.message);
    v("hint", self.hint);
  }
};

struct Round {
  std::int64_t round = 0;
  std::vector<std::string> participants;  // whose updates are in the sum, sorted
  std::vector<std::string> left_out;      // asked and not in time, sorted
  std::vector<RoundSite> sites;           // sorted by name
  std::vector<SiteFailure> failed;        // sorted by name
  Metrics metrics;                        // of the model that the round made, once the sites have measured it
  Metrics personal;                       // of the sites' own models, measured then too
  std::string model_digest;
  double seconds = 0;
  double learning_rate = 0;
  double aggregate_seconds = 0;  // of them: making the next model
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
    v("failed", self.failed);
    v("metrics", self.metrics);
    v("personal", self.personal);
    v("modelDigest", self.model_digest);
    v("seconds", self.seconds);
    v("learningRate", self.learning_rate);
    v("aggregateSeconds", self.aggregate_seconds);
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

// The model of a past round that is still at the root.
struct Checkpoint {
  std::int64_t round = 0;
  std::string digest;
  std::int64_t size = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("digest", self.digest, kRequired);
    v("size", self.size);
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
  Preparation preparation;
  std::int64_t planned_rounds = 0;  // spec.rounds, or what the model counts itself
  std::string stopped;              // why it ended before them; "" when it did not
  std::int64_t best_round = 0;      // whose model did best by spec.stop.metric; 0 for none yet
  std::vector<Checkpoint> checkpoints;
  std::string from_digest;   // of the model that it started from
  std::int64_t resumed = 0;  // how often it was taken up again after it had ended
  std::vector<Refusal> refused;
  std::optional<PrivacyCost> privacy;  // of a run with noise
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
    v("preparation", self.preparation);
    v("plannedRounds", self.planned_rounds);
    v("stopped", self.stopped);
    v("bestRound", self.best_round);
    v("checkpoints", self.checkpoints);
    v("fromDigest", self.from_digest);
    v("resumed", self.resumed);
    v("refused", self.refused);
    v("privacy", self.privacy);
    v("createdAt", self.created_at);
    v("finishedAt", self.finished_at);
  }
  bool Over() const noexcept {
    return status == RunStatus::kFinished || status == RunStatus::kFailed || status == RunStatus::kCancelled;
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
  std::string phase;  // of "site-failed" and "update-refused", as are code and hint
  std::string code;
  std::string hint;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("seq", self.seq);
    v("at", self.at);
    v("kind", self.kind, kRequired);
    v("round", self.round);
    v("cluster", self.cluster);
    v("message", self.message);
    v("phase", self.phase);
    v("code", self.code);
    v("hint", self.hint);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::RunStatus> {
  using E = ote::api::RunStatus;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kPending, "pending"}, {E::kRunning, "running"},
                                                              {E::kPaused, "paused"},   {E::kFinished, "finished"},
                                                              {E::kFailed, "failed"},   {E::kCancelled, "cancelled"}};
};
