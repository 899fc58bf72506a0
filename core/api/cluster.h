// The members of a tree and the tokens that admit them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/relays.h"
#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/certificate.h"

namespace ote::api {

using Labels = std::map<std::string, std::string>;
// Keys as names, at most 63 characters with '.', '/', '_' inside; values 0 to 63 characters of the same. At most 64
// labels.
Result<void> CheckLabels(const Labels& labels);
// "region=eu" -> {"region","eu"}; kUsage otherwise.
Result<std::pair<std::string, std::string>> ParseLabel(std::string_view text);

// By hand: there is no link, tasks and updates are carried as files (ote-bundle(5)).
// Unknown: what it hangs on is lost, so that nothing is known of it.
enum class ClusterStatus { kJoined, kReady, kUnreachable, kRemoved, kByHand, kUnknown };

// A data set as the root sees it: name, schema and counts, nothing else.
struct DatasetSummary {
  std::string name;
  std::int64_t train_rows = 0;
  std::int64_t test_rows = 0;
  std::int64_t features = 0;
  std::int64_t classes = 0;              // 0 for a regression target
  std::vector<std::string> class_names;  // sorted; spelled as in the file
  std::string schema;    // digest of the feature names and of which hold categories: two sites can be seen to agree
  bool missing = false;  // whether values are missing
  std::int64_t categorical = 0;          // columns that hold categories
  FoldPolicy fold = FoldPolicy::kAllow;  // of the site's operator

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("trainRows", self.train_rows);
    v("testRows", self.test_rows);
    v("features", self.features);
    v("classes", self.classes);
    v("classNames", self.class_names);
    v("schema", self.schema);
    v("missing", self.missing);
    v("categorical", self.categorical);
    v("fold", self.fold);
  }
};

// A certificate that was replaced, until its owner has shown that it uses the new one.
struct Superseded {
  BigId serial;
  UnixMillis until = 0;  // its end
  bool rekeyed = false;  // for other keys than those of the present one

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial, kRequired);
    v("until", self.until);
    v("rekeyed", self.rekeyed);
  }
};
// What the root remembers of a member's certificates beside the present one.
struct MemberTrust {
  std::optional<crypto::Certificate> next;  // for its next keys; takes the place when they are first seen
  std::vector<Superseded> superseded;
  Bytes authority;  // fingerprint of the one that it last said to hold

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("next", self.next);
    v("superseded", self.superseded);
    v("authority", self.authority);
  }
};

// One member as its root knows it.
struct Cluster {
  static constexpr std::string_view kKind = "cluster";
  std::string name;
  ClusterStatus status = ClusterStatus::kJoined;
  crypto::Role role = crypto::Role::kMember;
  std::string parent;
  Labels labels;
  BigId serial;  // of its present certificate
  UnixMillis joined_at = 0;
  UnixMillis last_seen = 0;   // 0 when never
  UnixMillis expires_at = 0;  // of its certificate
  std::string version;        // of its agent
  std::string platform;       // "linux/x86_64"
  std::vector<DatasetSummary> datasets;
  bool by_hand = false;                            // also when it has a link for a while
  bool cordoned = false;                           // takes no new apps
  bool drained = false;                            // and gives up those that it has
  std::string via;                                 // whom it hangs on now, when that is not its own parent
  bool listens = false;                            // can take children
  std::optional<crypto::Certificate> certificate;  // kept at the root; not shown
  std::optional<MemberTrust> trust;                // the same

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("status", self.status);
    v("role", self.role);
    v("parent", self.parent);
    v("labels", self.labels);
    v("serial", self.serial);
    v("joinedAt", self.joined_at);
    v("lastSeen", self.last_seen);
    v("expiresAt", self.expires_at);
    v("version", self.version);
    v("platform", self.platform);
    v("datasets", self.datasets);
    v("byHand", self.by_hand);
    v("cordoned", self.cordoned);
    v("drained", self.drained);
    v("via", self.via);
    v("listens", self.listens);
    v("certificate", self.certificate);
    v("trust", self.trust);
  }
};

enum class TokenStatus { kActive, kUsedUp, kExpired, kRevoked };

// A token as the root keeps it: never the secret, only the hash that proves it (crypto/token.h).
struct Token {
  static constexpr std::string_view kKind = "token";
  std::string id;
  TokenStatus status = TokenStatus::kActive;
  UnixMillis created_at = 0;
  UnixMillis expires_at = 0;
  std::int64_t uses = 1;  // how many clusters it admits
  std::vector<std::string> used_by;
  Labels labels;  // what it gives to those that it admits
  crypto::Role role = crypto::Role::kMember;
  bool revoked = false;
  std::string request_id;
  std::string parent;                  // the relay that it admits to; "" for the root itself
  std::optional<Bytes> proof_key;      // kept at the root; not shown
  std::optional<Bytes> transport_key;  // public; what the link admits for enrolment

  std::string Key() const { return id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("status", self.status);
    v("createdAt", self.created_at);
    v("expiresAt", self.expires_at);
    v("uses", self.uses);
    v("usedBy", self.used_by);
    v("labels", self.labels);
    v("role", self.role);
    v("revoked", self.revoked);
    v("requestId", self.request_id);
    v("parent", self.parent);
    v("proofKey", self.proof_key);
    v("transportKey", self.transport_key);
  }
  // What the token is at `now`; `status` holds it when it is sent.
  TokenStatus StatusAt(UnixMillis now) const noexcept;
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::ClusterStatus> {
  using E = ote::api::ClusterStatus;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kJoined, "joined"},   {E::kReady, "ready"},    {E::kUnreachable, "unreachable"},
      {E::kRemoved, "removed"}, {E::kByHand, "by-hand"}, {E::kUnknown, "unknown"}};
};
template <>
struct ote::EnumNames<ote::api::TokenStatus> {
  using E = ote::api::TokenStatus;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kActive, "active"}, {E::kUsedUp, "used-up"}, {E::kExpired, "expired"}, {E::kRevoked, "revoked"}};
};
