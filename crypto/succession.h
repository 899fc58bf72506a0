// The succession of authorities: why one who trusts an old authority may trust the new one.
//
// A link is `body` (CBOR of SuccessionBody) with two signatures over the same bytes: the authority that goes names its
// successor under "ote-succession-v1", the one that comes proves under "ote-succession-accept-v1" that it holds its
// key. A chain is the links of a tree, the oldest first, each beginning where the one before ends; who was away for
// several changes walks it from the authority that it knows. It needs no network: it may as well stand in a file.
//
// What it cannot do: whoever holds the private key of an authority can make a link from it. So a key is destroyed once
// its link is on disk, and one who has moved on never goes back: a chain is walked from the pinned key forward only.
#pragma once

#include <cstddef>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/keys.h"

namespace ote::crypto {

struct SuccessionBody {
  std::int64_t number = 0;  // 1 for the first of a tree, then one more each
  UnixMillis issued_at = 0;
  Bytes from;  // Ed25519, 32 bytes: the authority that goes
  Bytes to;    // the one that comes

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("issuedAt", self.issued_at, kRequired);
    v("from", self.from, kRequired);
    v("to", self.to, kRequired);
  }
};

// The wire and file form.
struct Succession {
  Bytes body;
  Bytes signature;  // by `from`
  Bytes accepted;   // by `to`

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("accepted", self.accepted, kRequired);
  }
};

Succession IssueSuccession(const SigningKey& from, const SigningKey& to, std::int64_t number, UnixMillis now);

// Both signatures and the form; kSuccessionInvalid when it is no link from `from`.
Result<SuccessionBody> CheckSuccession(const Succession& link, const VerifyKey& from);

// The authority at the end of the chain, for one who has pinned `pinned`: the key itself when the chain ends with it.
// kSuccessionInvalid when the pinned authority is not in it, or a link from there on does not hold. Links before the
// pinned one are not looked at.
Result<VerifyKey> FollowSuccession(const std::vector<Succession>& chain, const Fingerprint& pinned);

// Where in the chain the authority goes: the index of the link from it, or the chain's size when there is none.
std::size_t SuccessionOf(const std::vector<Succession>& chain, const Fingerprint& authority);

}  // namespace ote::crypto
