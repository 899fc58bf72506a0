// What the sites and the root of a masked round agree on: who is in it, with which keys, and what each secret is bound
// to. The steps of a round (Bonawitz et al. 2017, Bell et al. 2020):
//
//   mask-keys     each site makes two X25519 keys and a seed for this try alone, and signs the keys
//   mask-shares   each shares the seed and its mask key among its group, sealed to each of them
//   train         each adds the stream of its seed and those of its neighbours to its update
//   mask-consent  each signs the list of the sites whose updates are in the sum
//   mask-unmask   each gives its shares: of the seed of those on the list, of the mask key of those that left
//
// A site gives one of the two for another site, never both: it signs one list a try, and gives shares for one list a
// round, on which a quorum agrees (graph.h).
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "core/api/mask_messages.h"
#include "core/base/result.h"
#include "core/federate/masks/graph.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/keys.h"

namespace ote::federate {

// The signing key of a member that goes by `name`: kMaskForged when the certificate is not its own. In the thread of
// the caller.
using KeyCheck = std::function<Result<crypto::VerifyKey>(const std::string& name, const crypto::Certificate&)>;
// Certificates of one authority, without those that are revoked. Dates are not looked at: clocks at sites are wrong.
KeyCheck CertifiedBy(const crypto::VerifyKey& authority, std::vector<BigId> revoked);

// One try of one round.
struct MaskTry {
  std::string run;
  std::int64_t round = 0;
  std::int64_t attempt = 0;
  api::MasksSpec spec;
};

struct MaskPeer {
  std::string name;
  crypto::VerifyKey sign;
  crypto::TransportPublic seal;
  crypto::TransportPublic mask;
};

inline constexpr std::size_t kMaskHead = 64;
using MaskHead = std::array<std::uint8_t, kMaskHead>;
// The signing key and the digest of the keys' body.
MaskHead HeadOf(const crypto::VerifyKey& sign, ByteView body);

api::MaskKeys SignMaskKeys(const api::MaskKeysBody& body, const crypto::SigningKey& key,
                           const crypto::Certificate& certificate);
// Certificate, signature, and whether they are for this try. kMaskForged.
Result<MaskPeer> CheckMaskKeys(const api::MaskKeys& keys, const MaskTry& which, const KeyCheck& check);

// Of a key that a pair agrees on: shares are sealed with it, or it is the pair's mask.
enum class MaskUse { kSeal, kMask };

class MaskSession {
 public:
  // From the heads of all sites, in the order of the roster. kMaskForged when there are two alike, kMaskTooFew.
  static Result<MaskSession> Make(const MaskTry& which, ByteView heads);

  const crypto::Digest& id() const noexcept { return id_; }
  const MaskPlan& plan() const noexcept { return plan_; }
  std::size_t sites() const noexcept { return plan_.sites; }
  std::vector<std::size_t> Group(std::size_t site) const { return graph_.Group(site); }
  ByteView Head(std::size_t site) const { return ByteView(heads_).subspan(site * kMaskHead, kMaskHead); }
  crypto::VerifyKey Signer(std::size_t site) const;

  // Between two places: what shares are sealed for, in one direction; what a pair agrees on a key for, in both.
  Bytes SealContext(std::size_t from, std::size_t to) const;
  Bytes PairContext(MaskUse use) const;
  // The digest of a share, `key` as in api::MaskShare; of a seed.
  crypto::Digest ShareDigest(std::size_t from, std::size_t to, bool key, ByteView share) const;
  crypto::Digest SeedDigest(std::size_t of, ByteView seed) const;
  // What a site signs.
  Bytes ConsentMessage(ByteView survivors) const;

 private:
  MaskSession(MaskPlan plan, crypto::Digest id, Bytes heads)
      : plan_(plan), id_(id), graph_(plan, id), heads_(std::move(heads)) {}
  MaskPlan plan_;
  crypto::Digest id_;
  MaskGraph graph_;
  Bytes heads_;
};

inline constexpr std::string_view kMaskKeysDomain = "ote-mask-keys-v1";
inline constexpr std::string_view kMaskConsentDomain = "ote-mask-consent-v1";

// A bit a place, the first in the lowest bit of the first byte.
Bytes PackPlaces(const std::vector<bool>& places);
// kMalformed for another length or bits behind the last place.
Result<std::vector<bool>> UnpackPlaces(ByteView bytes, std::size_t sites);

}  // namespace ote::federate
