// Operators: people and programs beside the one at the machine who may ask the agents of a tree, each with a key of
// their own, a role and a scope. Who they are is a numbered list that the authority signs; it travels down the tree
// with the revocations, and every agent admits by it.
//
// The list is `body` (CBOR of OperatorBody) and a signature over it under the domain "ote-operators-v1". It is checked
// over the bytes that arrived, and parsed only after that. A receiver keeps the highest number that it saw.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/result.h"
#include "crypto/keys.h"

namespace ote::api {

// Each may what the one before may.
enum class OperatorRole { kViewer, kOperator, kAdmin };

inline constexpr std::size_t kMostOperators = 10'000;
inline constexpr std::size_t kMostOperatorBytes = 640 << 10;  // of the signed body: it travels in one header
inline constexpr std::string_view kLocalOperator = "local";   // the one at the control socket; nobody else's name

struct Operator {
  std::string name;
  OperatorRole role = OperatorRole::kViewer;
  std::string scope;    // the selector (core/tree/selector.h) of the clusters that it may reach; "" for all
  Bytes transport_key;  // X25519, 32 bytes
  UnixMillis created_at = 0;
  UnixMillis expires_at = 0;
  bool revoked = false;  // stays on the list until it would have expired
  std::string request_id;

  bool ActiveAt(UnixMillis now) const noexcept { return !revoked && now <= expires_at; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("role", self.role, kRequired);
    v("scope", self.scope);
    v("transportKey", self.transport_key, kRequired);
    v("createdAt", self.created_at);
    v("expiresAt", self.expires_at, kRequired);
    v("revoked", self.revoked);
    v("requestId", self.request_id);
  }
};

// The numbered list; also the answer to operator.list.
struct OperatorBody {
  std::int64_t number = 0;
  UnixMillis issued_at = 0;
  std::vector<Operator> items;  // by name, each name and each key once
  Bytes authority;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("issuedAt", self.issued_at, kRequired);
    v("items", self.items, kRequired);
    v("authority", self.authority, kRequired);
  }
};
struct OperatorList {
  Bytes body;
  Bytes signature;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
  }
};

// Sorts the items. kUsage when there are more, or more bytes of them, than a list may have.
Result<OperatorList> IssueOperatorList(const crypto::SigningKey& authority, const OperatorBody& body);
// kSignatureInvalid, or kConflict when its number is below `at_least` (an old list played again).
Result<OperatorBody> CheckOperatorList(const OperatorList& list, const crypto::VerifyKey& authority,
                                       std::int64_t at_least);

struct OperatorRequest {
  std::string name;
  OperatorRole role = OperatorRole::kViewer;
  std::string scope;
  Bytes transport_key;
  std::int64_t ttl_ms = 90LL * 24 * 3600 * 1000;
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("role", self.role, kRequired);
    v("scope", self.scope);
    v("transportKey", self.transport_key, kRequired);
    v("ttlMs", self.ttl_ms);
    v("requestId", self.request_id);
  }
};
struct OperatorRemoveRequest {
  std::string name;
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("requestId", self.request_id);
  }
};

// An agent that an operator can reach.
struct OperatorServer {
  std::string cluster;
  std::vector<std::string> endpoints;  // in the order to try
  Bytes transport_key;                 // pinned

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster);
    v("endpoints", self.endpoints, kRequired);
    v("transportKey", self.transport_key, kRequired);
  }
};
struct OperatorReply {
  Operator record;
  bool already = false;  // it was so before
  std::int64_t number = 0;
  std::optional<OperatorServer> server;  // the agent that answers; absent when it listens nowhere
  std::string fingerprint;               // of the authority

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("record", self.record, kRequired);
    v("already", self.already);
    v("number", self.number);
    v("server", self.server);
    v("fingerprint", self.fingerprint);
  }
};

// What an operator holds, as a file of mode 0600: everything that is needed to reach the tree from elsewhere.
struct Credential {
  std::string kind = "ote-credential-v1";
  std::string name;
  std::string fingerprint;
  std::string key;  // the private transport key, base64url
  std::vector<OperatorServer> servers;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("name", self.name, kRequired);
    v("fingerprint", self.fingerprint);
    v("key", self.key, kRequired);
    v("servers", self.servers, kRequired);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::OperatorRole> {
  using E = ote::api::OperatorRole;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kViewer, "viewer"}, {E::kOperator, "operator"}, {E::kAdmin, "admin"}};
};
