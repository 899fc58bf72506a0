// The bodies of the verbs, verbs.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/api/dataset.h"
#include "core/api/run.h"
#include "core/api/trainer.h"
#include "core/api/tree.h"
#include "core/api/trust.h"
#include "core/api/verbs.h"

namespace ote::api {

struct Empty {
  template <class Self, class V>
  static void Fields(Self&, V&&) {}
};
struct NameRequest {
  std::string name;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
  }
};

struct EnrolHello {
  Bytes authority_key;
  crypto::Certificate certificate;  // of the one that answers
  UnixMillis now = 0;
  std::vector<crypto::Succession> successions;  // for a token that was made under an earlier authority

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("authorityKey", self.authority_key, kRequired);
    v("certificate", self.certificate, kRequired);
    v("now", self.now, kRequired);
    v("successions", self.successions);
  }
};

// What a cluster asks to be. Signed by its own key (domain "ote-enrol-v1") and proved with the token's proof key, both
// over the same bytes.
struct EnrolBody {
  std::string token;  // id
  std::string name;
  Labels labels;
  Bytes sign_key;
  Bytes transport_key;
  std::string version;
  std::string platform;
  UnixMillis now = 0;
  BigId nonce;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("token", self.token, kRequired);
    v("name", self.name, kRequired);
    v("labels", self.labels);
    v("signKey", self.sign_key, kRequired);
    v("transportKey", self.transport_key, kRequired);
    v("version", self.version);
    v("platform", self.platform);
    v("now", self.now, kRequired);
    v("nonce", self.nonce, kRequired);
  }
};
struct EnrolRequest {
  Bytes body;       // CBOR of EnrolBody
  Bytes proof;      // Mac(proof key, body)
  Bytes signature;  // by EnrolBody.sign_key
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("proof", self.proof, kRequired);
    v("signature", self.signature, kRequired);
  }
};
struct TreeSettings {
  std::int64_t heartbeat_ms = 5000;
  std::int64_t renew_grace_ms = 30LL * 24 * 3600 * 1000;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("heartbeatMs", self.heartbeat_ms);
    v("renewGraceMs", self.renew_grace_ms);
  }
};
struct EnrolReply {
  crypto::Certificate certificate;
  crypto::RevocationList revocations;
  TreeSettings settings;
  bool already = false;  // the same key was enrolled before
  TreePlace place;       // so that it finds another way should this parent be gone before it has come

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("certificate", self.certificate, kRequired);
    v("revocations", self.revocations, kRequired);
    v("settings", self.settings);
    v("already", self.already);
    v("place", self.place);
  }
};

struct MemberHello {
  int protocol = kProtocolVersion;
  std::string version;
  std::string platform;
  UnixMillis now = 0;
  std::vector<DatasetSummary> datasets;
  TrustHeld trust;
  std::int64_t epoch = 0;              // of this connection (Session)
  std::vector<std::string> endpoints;  // where it takes children itself
  bool rooted_only = false;            // it has another parent, and comes only to one that has a way to the root
  std::optional<crypto::Certificate> certificate;  // its own: the parent may not have seen the newest

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("protocol", self.protocol, kRequired);
    v("version", self.version);
    v("platform", self.platform);
    v("now", self.now);
    v("datasets", self.datasets);
    v("trust", self.trust);
    v("epoch", self.epoch);
    v("endpoints", self.endpoints);
    v("rootedOnly", self.rooted_only);
    v("certificate", self.certificate);
  }
};
struct MemberWelcome {
  int protocol = kProtocolVersion;
  TreeSettings settings;
  UnixMillis now = 0;
  Labels labels;  // as the root holds them
  TrustNews trust;
  TreePlace place;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("protocol", self.protocol, kRequired);
    v("settings", self.settings);
    v("now", self.now);
    v("labels", self.labels);
    v("trust", self.trust);
    v("place", self.place);
  }
};
// Signed by the member's key (domain "ote-renew-v1"); names the certificate that it follows.
struct RenewBody {
  BigId serial;
  UnixMillis now = 0;
  BigId nonce;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial, kRequired);
    v("now", self.now, kRequired);
    v("nonce", self.nonce, kRequired);
  }
};
struct RenewRequest {
  Bytes body;
  Bytes signature;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
  }
};
struct RenewReply {
  crypto::Certificate certificate;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("certificate", self.certificate, kRequired);
  }
};
struct DatasetList {
  std::vector<DatasetSummary> datasets;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("datasets", self.datasets, kRequired);
  }
};

// A piece of an artifact; at most kMaxChunk bytes are sent, whatever is asked for.
struct ArtifactRange {
  std::string digest;
  std::int64_t offset = 0;
  std::int64_t length = 0;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("offset", self.offset, kRequired);
    v("length", self.length, kRequired);
  }
};
struct ArtifactChunk {
  std::string digest;
  std::int64_t offset = 0;
  std::int64_t size = 0;  // of the whole artifact
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("offset", self.offset, kRequired);
    v("size", self.size, kRequired);
  }
};
// The next piece of an artifact, in the blob beside it; without one it asks how much is there. The answer's offset is
// where the next piece begins, and it is the size when the artifact is whole and on disk.
struct ArtifactPut {
  std::string digest;
  std::int64_t size = 0;
  std::int64_t offset = 0;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("size", self.size, kRequired);
    v("offset", self.offset);
  }
};
struct RoundRef {
  std::string run;
  std::int64_t round = 0;
  bool over = false;  // the whole run: what the site kept for it is no longer needed
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("over", self.over);
  }
};

struct AgentStatus {
  std::string name;
  crypto::Role role = crypto::Role::kMember;
  std::string version;
  std::int64_t pid = 0;
  std::vector<std::string> listen;  // the endpoints that are bound
  std::string fingerprint;          // of the authority
  std::string parent;               // endpoint; "" for a root
  bool connected = false;           // to the parent
  std::string message;              // why not, or what it waits for
  UnixMillis started_at = 0;
  UnixMillis certificate_expires_at = 0;
  std::int64_t clusters = 0;  // that joined this agent
  std::int64_t datasets = 0;
  std::int64_t runs_active = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("role", self.role);
    v("version", self.version);
    v("pid", self.pid);
    v("listen", self.listen);
    v("fingerprint", self.fingerprint);
    v("parent", self.parent);
    v("connected", self.connected);
    v("message", self.message);
    v("startedAt", self.started_at);
    v("certificateExpiresAt", self.certificate_expires_at);
    v("clusters", self.clusters);
    v("datasets", self.datasets);
    v("runsActive", self.runs_active);
  }
};

// `{"items": […]}`, the form of every list.
template <class T>
struct ListOf {
  std::vector<T> items;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items, kRequired);
  }
};
using ClusterList = ListOf<Cluster>;
using TokenList = ListOf<Token>;
using DataList = ListOf<Dataset>;
using TrainerList = ListOf<Trainer>;
using RunList = ListOf<Run>;
using ModelList = ListOf<ModelEntry>;

struct LabelRequest {
  std::string name;
  Labels set;
  std::vector<std::string> unset;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("set", self.set);
    v("unset", self.unset);
  }
};
struct TokenRequest {
  std::int64_t ttl_ms = 3600 * 1000;
  std::int64_t uses = 1;
  Labels labels;
  std::string request_id;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("ttlMs", self.ttl_ms);
    v("uses", self.uses);
    v("labels", self.labels);
    v("requestId", self.request_id);
  }
};
struct TokenReply {
  Token record;
  std::string token;  // the secret, shown this once
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("record", self.record, kRequired);
    v("token", self.token, kRequired);
  }
};
// A relay asks the root for a token that admits to the relay.
struct CarriedToken {
  TokenRequest request;
  std::vector<std::string> endpoints;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("request", self.request, kRequired);
    v("endpoints", self.endpoints, kRequired);
  }
};
// And carries what somebody with such a token asks.
struct CarriedEnrol {
  std::string token;  // whose key the connection is by
  EnrolRequest request;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("token", self.token, kRequired);
    v("request", self.request, kRequired);
  }
};

struct DataAddRequest {
  Dataset dataset;  // name, path, label and format; the agent reads the file and fills the rest
  bool replace = false;
  std::optional<PrivacyTerms> privacy;  // absent: as they are
  bool forget_spending = false;         // the rows are other ones than those that the name or the file stood for
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("dataset", self.dataset, kRequired);
    v("replace", self.replace);
    v("privacy", self.privacy);
    v("forgetSpending", self.forget_spending);
  }
};
// Statistics of a data set of this agent, or, at a root, of its members, all together.
struct StatsRequest {
  std::string name;
  bool federated = false;
  std::vector<std::string> clusters;  // federated: only these; empty for all that have it
  Labels selector;                    // federated: labels that a cluster must carry, all of them
  std::int64_t timeout_ms = 60'000;   // federated: for the clusters to answer

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("federated", self.federated);
    v("clusters", self.clusters);
    v("selector", self.selector);
    v("timeoutMs", self.timeout_ms);
  }
};
struct Stats {
  std::string name;
  DataStatistics statistics;
  std::map<std::string, std::int64_t> clusters;  // rows of each that they are of
  std::vector<SiteFailure> failed;               // sorted by name: those that are not in them

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("statistics", self.statistics, kRequired);
    v("clusters", self.clusters);
    v("failed", self.failed);
  }
};
struct TrainerAddRequest {
  Trainer trainer;
  bool replace = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("trainer", self.trainer, kRequired);
    v("replace", self.replace);
  }
};
// The end of what a site's own trainer printed in a run.
struct OutputRequest {
  std::string run;             // at a root its id or name, at a site its id
  std::string cluster;         // at a root: which of the members; "" for the one that is asked
  std::int64_t most = 65'536;  // bytes; at most kMostOutput are sent
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("cluster", self.cluster);
    v("most", self.most);
  }
};
inline constexpr std::int64_t kMostOutput = 262'144;
struct OutputTail {
  std::string run;
  std::string cluster;
  std::string
      text;  // as it was printed, but that what is not UTF-8 is replaced: to be made harmless before it is shown
  bool cut = false;  // there was more before it
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("cluster", self.cluster);
    v("text", self.text);
    v("cut", self.cut);
  }
};
struct ModelListRequest {
  bool all = false;  // versions; the newest of each name otherwise
  std::string name;  // "" for all
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("all", self.all);
    v("name", self.name);
  }
};
struct ModelTagRequest {
  std::string name;  // a reference
  std::string tag;
  bool remove = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("tag", self.tag, kRequired);
    v("remove", self.remove);
  }
};
struct ModelRemoveRequest {
  std::string name;  // a reference
  bool force = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("force", self.force);
  }
};
// Registers a model file that was put before.
struct ModelImportRequest {
  std::string name;
  std::string digest;
  std::vector<std::string> tags;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("digest", self.digest, kRequired);
    v("tags", self.tags);
  }
};
struct StartRequest {
  RunSpec spec;
  std::string request_id;  // the same id and content is the same request
  bool dry_run = false;    // checks and says who would take part; starts nothing
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("spec", self.spec, kRequired);
    v("requestId", self.request_id);
    v("dryRun", self.dry_run);
  }
};
struct WatchRequest {
  std::string name;
  std::int64_t after = 0;  // events with a greater seq
  bool follow = true;      // false: those that are there
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("after", self.after);
    v("follow", self.follow);
  }
};

}  // namespace ote::api
