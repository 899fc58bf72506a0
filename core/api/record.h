// What a root writes down of a run for those who audit it, entry by entry: what core/record chains, signs and checks.
//
// Digests only: no rows, no parameters, no metrics. With these, the updates and the models, each aggregate can be made
// again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/run.h"

namespace ote::api {

// A run begins; models are made before its first round (a survey comes before, or the classes change as sites join);
// rounds close; it ends. One that failed or was cancelled may be taken up again, and its rounds go on after its end.
enum class EntryKind { kBegin, kModel, kRound, kEnd };

// What was put together in a round: the updates as the sites made them, or masked ones, of which only the sum is known.
enum class AggregateKind { kUpdates, kMasked };

// A site's part, and its statement (statement.h).
struct RecordedSite {
  std::string name;
  std::int64_t examples = 0;
  std::int64_t weight = 0;  // of its update in the sum
  std::string digest;       // of its update, masked or not; of its statistics in a survey
  std::int64_t size = 0;
  double steps = 0;
  std::int64_t base = 0;  // the round whose task it answered
  Bytes statement;
  Bytes signature;
  std::string certificate;  // CertificateDigest of the one that the statement is signed under

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("examples", self.examples);
    v("weight", self.weight);
    v("digest", self.digest);
    v("size", self.size);
    v("steps", self.steps);
    v("base", self.base);
    v("statement", self.statement);
    v("signature", self.signature);
    v("certificate", self.certificate);
  }
  friend bool operator==(const RecordedSite&, const RecordedSite&) = default;
};

struct RecordBegin {
  RunSpec spec;
  std::string from;   // of the model that it starts from
  std::string model;  // the first; "" when the sites are asked for statistics first

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("spec", self.spec, kRequired);
    v("from", self.from);
    v("model", self.model);
  }
};

// The model that the first round begins with.
struct RecordModel {
  std::string model;
  std::string preparation;  // digest of its CBOR; "" for none
  std::int64_t features = 0;
  std::int64_t classes = 0;
  std::vector<RecordedSite> sites;  // that were surveyed, sorted by name

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("model", self.model, kRequired);
    v("preparation", self.preparation);
    v("features", self.features);
    v("classes", self.classes);
    v("sites", self.sites);
  }
};

struct RecordRound {
  std::int64_t round = 0;
  AggregateKind aggregate = AggregateKind::kUpdates;
  std::string sum;                    // masked: digest of the sum
  std::vector<RecordedSite> sites;    // whose updates are in it, sorted by name
  std::vector<std::string> left_out;  // asked, and not in it; sorted
  std::vector<SiteFailure> failed;    // those of them that failed or were refused, and why
  std::string model_before;
  std::string model;
  std::string state_before;  // what the strategy remembered; "" for what it begins with
  std::string state;
  std::int64_t capacity = 0;   // of the sum's grid
  std::int64_t pool_rows = 0;  // of all sites that could have been asked
  double learning_rate = 0;
  UnixMillis started_at = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("aggregate", self.aggregate, kRequired);
    v("sum", self.sum);
    v("sites", self.sites, kRequired);
    v("leftOut", self.left_out);
    v("failed", self.failed);
    v("modelBefore", self.model_before, kRequired);
    v("model", self.model, kRequired);
    v("stateBefore", self.state_before);
    v("state", self.state);
    v("capacity", self.capacity, kRequired);
    v("poolRows", self.pool_rows, kRequired);
    v("learningRate", self.learning_rate);
    v("startedAt", self.started_at);
  }
};

struct RecordEnd {
  RunStatus status = RunStatus::kFinished;
  std::string message;  // why it failed or stopped early
  std::string model;
  std::int64_t rounds = 0;
  std::int64_t resumed = 0;  // how often it had been taken up again

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("status", self.status, kRequired);
    v("message", self.message);
    v("model", self.model);
    v("rounds", self.rounds, kRequired);
    v("resumed", self.resumed);
  }
};

// One of the four, by its kind.
struct RecordEntry {
  EntryKind kind = EntryKind::kBegin;
  UnixMillis at = 0;
  std::vector<crypto::Certificate> certificates;  // that it names and no entry before it has
  std::optional<RecordBegin> begin;
  std::optional<RecordModel> model;
  std::optional<RecordRound> round;
  std::optional<RecordEnd> end;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("at", self.at, kRequired);
    v("certificates", self.certificates);
    v("begin", self.begin);
    v("model", self.model);
    v("round", self.round);
    v("end", self.end);
  }
};

// A piece of the record of a run: of its entry `seq` from byte `offset` on, as it stands in a file of core/record.
struct RecordRequest {
  std::string name;
  std::int64_t seq = 0;
  std::int64_t offset = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("seq", self.seq);
    v("offset", self.offset);
  }
};
// In the blob beside it, at most kMaxChunk bytes. After the last entry comes the seal.
struct RecordPiece {
  std::string run;
  std::int64_t seq = 0;
  std::int64_t offset = 0;
  std::int64_t size = 0;  // of the entry, or the seal
  bool seal = false;
  UnixMillis dropped = 0;  // when an operator had what the aggregates were made from removed; 0 for not

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("seq", self.seq, kRequired);
    v("offset", self.offset, kRequired);
    v("size", self.size, kRequired);
    v("seal", self.seal);
    v("dropped", self.dropped);
  }
};

// The end of a run as it stands.
RecordEntry EndOf(const Run& run);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::EntryKind> {
  using E = ote::api::EntryKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kBegin, "begin"}, {E::kModel, "model"}, {E::kRound, "round"}, {E::kEnd, "end"}};
};
template <>
struct ote::EnumNames<ote::api::AggregateKind> {
  using E = ote::api::AggregateKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kUpdates, "updates"}, {E::kMasked, "masked"}};
};
