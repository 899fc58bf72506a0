// What the manifests of the kinds hold. Artifacts (models, control variates, updates) follow as items, by digest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/app.h"
#include "core/api/requests.h"
#include "core/api/trust.h"
#include "core/bundle/header.h"

namespace ote::bundle {

// The stream of requests and grants; that of tasks, updates and receipts is the id of their run.
inline constexpr std::string_view kEnrolStream = "enrol";
inline constexpr std::string_view kModelStream = "models";
inline constexpr std::string_view kAppStream = "apps";  // "apps/NAME", of what is wanted and of its receipts

// Signed by the keys that it brings.
struct RequestBody {
  api::Labels labels;
  std::optional<api::RotateRequest> rotate;  // of a member: its keys before hand over to these
  Bytes transport_key;
  std::string version;
  std::string platform;
  std::vector<api::DatasetSummary> datasets;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("labels", self.labels);
    v("rotate", self.rotate);
    v("transportKey", self.transport_key, kRequired);
    v("version", self.version);
    v("platform", self.platform);
    v("datasets", self.datasets);
  }
};

struct GrantBody {
  Bytes authority_key;
  crypto::Certificate certificate;  // of the receiver
  api::TreeSettings settings;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("authorityKey", self.authority_key, kRequired);
    v("certificate", self.certificate, kRequired);
    v("settings", self.settings);
  }
};

// An update that the root took.
struct ReceiptBody {
  std::string update;  // digest of the bundle
  std::int64_t sequence = 0;
  std::string run;
  std::int64_t round = 0;
  std::string step;
  std::int64_t seen = 0;  // the highest number of the site's that the root took
  std::string status;     // of the run
  bool over = false;      // the run has ended: the site need not keep anything for it

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("update", self.update, kRequired);
    v("sequence", self.sequence, kRequired);
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("step", self.step);
    v("seen", self.seen);
    v("status", self.status);
    v("over", self.over);
  }
};

struct TaskBody {
  api::Task task;
  std::int64_t rounds = 0;  // of the whole run
  std::int64_t trips = 0;   // that are left, this one included
  // What a receipt would say, so that none need be carried beside the task.
  std::int64_t seen = 0;
  std::vector<std::string> over;                   // runs of this site that have ended
  std::optional<crypto::Certificate> certificate;  // of the receiver, renewed

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("task", self.task, kRequired);
    v("rounds", self.rounds);
    v("trips", self.trips);
    v("seen", self.seen);
    v("over", self.over);
    v("certificate", self.certificate);
  }
};

struct UpdateBody {
  api::UpdateOffer offer;
  std::vector<api::DatasetSummary> datasets;  // as they are now
  std::string version;
  std::string platform;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("offer", self.offer, kRequired);
    v("datasets", self.datasets);
    v("version", self.version);
    v("platform", self.platform);
  }
};

struct ModelBody {
  api::ModelEntry entry;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("entry", self.entry, kRequired);
  }
};

// An app as one cluster is to have it. Its files follow, each once.
struct AppBody {
  std::string app;
  std::int64_t revision = 0;                  // that is wanted; of one that it gives up, the last
  std::optional<api::Assignment> assignment;  // nothing: the cluster gives the app up
  // As in TaskBody.
  std::int64_t seen = 0;
  std::optional<crypto::Certificate> certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("revision", self.revision, kRequired);
    v("assignment", self.assignment);
    v("seen", self.seen);
    v("certificate", self.certificate);
  }
};
// The digests of its files and their sizes, each once, in the order in which they are in the bundle.
std::vector<std::pair<std::string, std::int64_t>> FilesOf(const api::Assignment& assignment);

// The body of a manifest; kBundleAltered when it is none of this kind.
template <class Body>
Result<Body> ReadBody(const Json& body) {
  auto read = FromWire<Body>(body);
  if (!read) return Fail(ErrorId::kBundleAltered, "the content of the bundle: " + read.error().message);
  return std::move(*read);
}

}  // namespace ote::bundle
