// What travels in the steps of a masked round, inside Task and UpdateOffer. core/federate/masks says what it is for.
//
// Sites are named by their place in the roster, the list of those that gave keys, in the order of their names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/masks.h"
#include "core/base/bytes.h"
#include "core/base/codec.h"
#include "crypto/certificate.h"

namespace ote::api {

// A site's fresh keys for one try of one round.
struct MaskKeysBody {
  std::string run;
  std::int64_t round = 0;
  std::int64_t attempt = 0;
  std::string name;
  Bytes seal_key;  // X25519: shares are sealed with it
  Bytes mask_key;  // X25519: pairs make their masks with it

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("attempt", self.attempt, kRequired);
    v("name", self.name, kRequired);
    v("sealKey", self.seal_key, kRequired);
    v("maskKey", self.mask_key, kRequired);
  }
};

// Answer to mask-keys. Checked over the bytes of `body` that arrived, and parsed only after that.
struct MaskKeys {
  Bytes body;       // CBOR of MaskKeysBody
  Bytes signature;  // by the certified key, domain "ote-mask-keys-v1"
  crypto::Certificate certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("certificate", self.certificate, kRequired);
  }
};

struct MaskMember {
  std::int64_t index = 0;
  MaskKeys keys;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("index", self.index, kRequired);
    v("keys", self.keys, kRequired);
  }
};

// Two shares from one site for another: of its self-mask seed and of its mask key.
struct MaskParcel {
  std::int64_t peer = 0;  // on the way up whom it is for, on the way down whom it is from
  Bytes sealed;           // 2 x 32 bytes, for the two of them alone; empty from a site to itself
  Bytes commitments;      // 2 x 32 bytes: the digests of the shares

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("peer", self.peer, kRequired);
    v("sealed", self.sealed, kRequired);
    v("commitments", self.commitments, kRequired);
  }
};

// Answer to mask-shares.
struct MaskDeal {
  std::vector<MaskParcel> parcels;  // for each of the group, the site itself among them, in the order of the roster
  Bytes seed_commitment;            // the digest of its self-mask seed

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("parcels", self.parcels, kRequired);
    v("seedCommitment", self.seed_commitment, kRequired);
  }
};

// Answer to mask-consent.
struct MaskConsent {
  Bytes signature;  // over session and survivors, domain "ote-mask-consent-v1"

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("signature", self.signature, kRequired);
  }
};

struct MaskShare {
  std::int64_t of = 0;  // whose secret
  bool key = false;     // of its mask key, since it has left; else of its self-mask seed
  Bytes share;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("of", self.of, kRequired);
    v("key", self.key, kRequired);
    v("share", self.share, kRequired);
  }
};

// Answer to mask-unmask.
struct MaskShares {
  std::vector<MaskShare> shares;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("shares", self.shares, kRequired);
  }
};

// The part of a task that is about masks.
struct MaskTask {
  std::int64_t attempt = 1;
  MasksSpec spec;
  std::int64_t index = 0;           // mask-shares: the site's place
  Bytes heads;                      // mask-shares: of every site its signing key and the digest of its keys' body
  std::vector<MaskMember> members;  // mask-shares: the site's neighbours
  std::vector<MaskParcel> parcels;  // train: what they dealt to it
  std::int64_t exponent = 0;        // train: the sum is in units of 2^-exponent
  Bytes survivors;                  // mask-consent, mask-unmask: a bit a site
  Bytes signers;                    // mask-unmask: a bit a site
  Bytes signatures;                 // mask-unmask: of them, 64 bytes each, in order

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("attempt", self.attempt, kRequired);
    v("spec", self.spec, kRequired);
    v("index", self.index);
    v("heads", self.heads);
    v("members", self.members);
    v("parcels", self.parcels);
    v("exponent", self.exponent);
    v("survivors", self.survivors);
    v("signers", self.signers);
    v("signatures", self.signatures);
  }
};

}  // namespace ote::api
