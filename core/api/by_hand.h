// The bodies of the verbs about members that are reached by files, ote-bundle(5). A bundle is told by its signed header
// and its manifest; what both say is checked again by the agent, whoever asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/requests.h"

namespace ote::api {

// The header and the manifest of a bundle, as they stand in it.
struct CarriedFile {
  Bytes body;
  Bytes signature;
  Bytes manifest;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("manifest", self.manifest, kRequired);
  }
};

struct ApproveRequest {
  CarriedFile request;
  Labels labels;  // beside those that the request asks for
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("request", self.request, kRequired);
    v("labels", self.labels);
  }
};
// What the grant is made of.
struct ApproveReply {
  Cluster cluster;
  crypto::Certificate certificate;  // of the member
  TreeSettings settings;
  std::optional<crypto::RevocationList> revocations;
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  bool already = false;  // it was a member with these keys before

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("certificate", self.certificate, kRequired);
    v("settings", self.settings);
    v("revocations", self.revocations);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("already", self.already);
  }
};

// Asks for the task of a site; or, with a digest, says that the bundle of number `sequence` is made and has that one.
struct ExportRequest {
  std::string run;
  std::string cluster;
  std::int64_t sequence = 0;
  std::string digest;
  bool dry_run = false;  // only looked at: no number is given
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("cluster", self.cluster, kRequired);
    v("sequence", self.sequence);
    v("digest", self.digest);
    v("dryRun", self.dry_run);
  }
};
// What the bundle of a task is made of; the same as long as the same is asked of the site.
struct ExportReply {
  std::string cluster;
  Bytes receiver_key;
  Task task;
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  Bytes nonce;
  std::int64_t rounds = 0;
  std::int64_t trips = 0;         // that the run still takes, this one included; a run may stop earlier
  std::int64_t seen = 0;          // the highest number of the site's that was taken
  std::vector<std::string> over;  // runs of the site that have ended
  crypto::Certificate certificate;
  std::optional<crypto::RevocationList> revocations;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("receiverKey", self.receiver_key, kRequired);
    v("task", self.task, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("nonce", self.nonce, kRequired);
    v("rounds", self.rounds);
    v("trips", self.trips);
    v("seen", self.seen);
    v("over", self.over);
    v("certificate", self.certificate, kRequired);
    v("revocations", self.revocations);
  }
};

// An update that was carried here. Its artifact is put before; with `check` it is only looked at, before that.
struct ImportRequest {
  CarriedFile update;
  bool check = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("update", self.update, kRequired);
    v("check", self.check);
  }
};
// What its receipt is made of.
struct ImportReply {
  std::string cluster;
  Bytes receiver_key;
  std::string update;  // digest of the bundle
  std::int64_t update_sequence = 0;
  std::string run;
  std::int64_t round = 0;
  std::string step;
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  std::int64_t seen = 0;
  std::string status;  // of the run, when it was taken
  bool over = false;
  bool already = false;  // it was taken before
  std::optional<crypto::RevocationList> revocations;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("receiverKey", self.receiver_key, kRequired);
    v("update", self.update, kRequired);
    v("updateSequence", self.update_sequence);
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("step", self.step, kRequired);
    v("sequence", self.sequence);
    v("created", self.created);
    v("seen", self.seen);
    v("status", self.status);
    v("over", self.over);
    v("already", self.already);
    v("revocations", self.revocations);
  }
};

}  // namespace ote::api
