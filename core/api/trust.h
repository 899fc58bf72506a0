// What a member holds of the tree's trust, what is newer, and how keys are changed.
#pragma once

#include <string>
#include <vector>

#include "core/api/operator.h"
#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/certificate.h"
#include "crypto/succession.h"

namespace ote::api {

// Told with every hello and every heartbeat, so that what was lost on the way is sent again within one heartbeat.
struct TrustHeld {
  BigId serial;                  // of its certificate; 0 when it does not say
  std::int64_t revocations = 0;  // the number of its list
  Bytes authority;               // the fingerprint that it pins
  std::int64_t operators = 0;    // the number of its list of operators

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial);
    v("revocations", self.revocations);
    v("authority", self.authority);
    v("operators", self.operators);
  }
};

// What is newer than that. A chain of successions comes with the certificate and the lists that its last authority
// signed, and all are taken together or not at all.
struct TrustNews {
  std::vector<crypto::Succession> successions;
  std::optional<crypto::Certificate> certificate;
  std::optional<crypto::RevocationList> revocations;
  std::optional<OperatorList> operators;
  // Of the one that tells: whether it has a way to the root, and the root's latest count of its heartbeats that came
  // down that way. One that grows no more comes from nowhere, though everybody says that it is there: a loop.
  bool rooted = true;
  std::int64_t pulse = 0;
  bool ask_root = false;  // there is more, which the root alone can tell: tree.trust

  // Nothing new to be taken.
  bool Empty() const { return successions.empty() && !certificate && !revocations && !operators; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("successions", self.successions);
    v("certificate", self.certificate);
    v("revocations", self.revocations);
    v("rooted", self.rooted);
    v("pulse", self.pulse);
    v("askRoot", self.ask_root);
    v("operators", self.operators);
  }
};

// A member asks for a certificate for other keys: signed by the present key ("ote-rotate-v1"), proved by the next one
// ("ote-rotate-accept-v1"), both over the same bytes. That it holds the next transport key it shows by connecting.
struct RotateBody {
  BigId serial;  // of the certificate that it follows
  Bytes sign_key;
  Bytes transport_key;
  UnixMillis now = 0;
  BigId nonce;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial, kRequired);
    v("signKey", self.sign_key, kRequired);
    v("transportKey", self.transport_key, kRequired);
    v("now", self.now, kRequired);
    v("nonce", self.nonce, kRequired);
  }
};
struct RotateRequest {
  Bytes body;  // CBOR of RotateBody
  Bytes signature;
  Bytes accepted;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("accepted", self.accepted, kRequired);
  }
};

// A key of an agent, as `ote key list` shows it: its public half.
struct KeyInfo {
  std::string name;    // "authority", "sign" or "transport"
  std::string key;     // base64url; of the authority its fingerprint, which is what people compare
  std::string status;  // "in use", or "next" while it is being changed
  BigId serial;        // of the certificate that it stands in; 0 for the authority
  UnixMillis since = 0;
  UnixMillis expires_at = 0;             // of that certificate
  std::int64_t changes = 0;              // authority: how many there were before it
  std::vector<std::string> waiting_for;  // authority, at the root: members that have not taken it yet

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("key", self.key, kRequired);
    v("status", self.status);
    v("serial", self.serial);
    v("since", self.since);
    v("expiresAt", self.expires_at);
    v("changes", self.changes);
    v("waitingFor", self.waiting_for);
  }
};
struct KeyList {
  std::vector<KeyInfo> items;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
  }
};
struct KeyRotateRequest {
  bool authority = false;
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("authority", self.authority);
    v("requestId", self.request_id);
  }
};
struct KeyRotated {
  std::vector<KeyInfo> items;  // those that were changed
  bool already = false;        // by the same request, before

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
    v("already", self.already);
  }
};

}  // namespace ote::api
