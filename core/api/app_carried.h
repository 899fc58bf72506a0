// The bodies of app.export and app.import: apps of clusters that are reached by files, ote-bundle(5).
#pragma once

#include <optional>
#include <string>

#include "core/api/app.h"
#include "core/api/by_hand.h"

namespace ote::api {

// Asks for what a cluster is to have of an app; or, with a digest, says that the bundle of number `sequence` is made
// and has that one.
struct AppExportRequest {
  std::string app;
  std::string cluster;
  std::int64_t sequence = 0;
  std::string digest;
  bool dry_run = false;  // only looked at: no number is given
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("cluster", self.cluster, kRequired);
    v("sequence", self.sequence);
    v("digest", self.digest);
    v("dryRun", self.dry_run);
  }
};
// What the bundle is made of; the same as long as the same is wanted.
struct AppExportReply {
  std::string cluster;
  Bytes receiver_key;
  std::string app;
  std::int64_t revision = 0;
  std::optional<Assignment> assignment;  // nothing: it gives the app up
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  std::int64_t seen = 0;  // the highest number of the cluster's that was taken
  crypto::Certificate certificate;
  std::optional<crypto::RevocationList> revocations;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("receiverKey", self.receiver_key, kRequired);
    v("app", self.app, kRequired);
    v("revision", self.revision, kRequired);
    v("assignment", self.assignment);
    v("sequence", self.sequence);
    v("created", self.created);
    v("seen", self.seen);
    v("certificate", self.certificate, kRequired);
    v("revocations", self.revocations);
  }
};

// What became of an app at a cluster, when it wrote the receipt.
struct AppReport {
  std::string app;
  std::int64_t revision = 0;        // of the bundle that was taken last
  bool removed = false;             // nothing of it is left there
  std::optional<AppStatus> status;  // with that, unless it is removed

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("revision", self.revision, kRequired);
    v("removed", self.removed);
    v("status", self.status);
  }
};

// A bundle that was carried here: at a cluster what it is to have, at the root what became of it. Files are put before.
struct AppImportRequest {
  CarriedFile bundle;
  bool check = false;     // only looked at, before anything is put
  bool receipt = false;   // at a cluster: of one that was taken, what its receipt is made of
  bool restored = false;  // at a cluster: the folder may be older than what was sent from it
  UnixMillis now = 0;     // at a cluster: dates are looked at, by this clock; 0 for not
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("bundle", self.bundle, kRequired);
    v("check", self.check);
    v("receipt", self.receipt);
    v("restored", self.restored);
    v("now", self.now);
  }
};
struct AppImportReply {
  std::string app;
  std::string cluster;        // whose app it is, or, at the root, whose receipt
  std::int64_t revision = 0;  // that is wanted; of one that is given up, the last
  bool gives_up = false;
  bool already = false;  // it was taken before
  std::int64_t health_ms = 0;
  std::optional<AppReport> report;  // at a cluster: how it is now, of what was taken
  // Of the receipt that a cluster writes.
  Bytes receiver_key;
  std::string answers;
  std::int64_t sequence = 0;
  UnixMillis created = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("cluster", self.cluster, kRequired);
    v("revision", self.revision);
    v("givesUp", self.gives_up);
    v("already", self.already);
    v("healthMs", self.health_ms);
    v("report", self.report);
    v("receiverKey", self.receiver_key);
    v("answers", self.answers);
    v("sequence", self.sequence);
    v("created", self.created);
  }
};

}  // namespace ote::api
