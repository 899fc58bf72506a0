// A site's side of a masked round: from a task of one of its steps and what the site keeps to an answer and what it
// keeps from then on. Pure but for the randomness of secrets.
//
// What is kept must be on disk before the answer goes out: it is what makes a site refuse to give the other secret
// after a restart. It holds secrets, and is wiped when the round is over but for the number of the round.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/api/task.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/masks/session.h"
#include "crypto/keys.h"
#include "crypto/mask_stream.h"
#include "crypto/secret.h"

namespace ote::federate {

// Who a site is towards the others. Owned by the caller; used in its thread only during a call.
struct MaskIdentity {
  std::string name;
  const crypto::SigningKey* key = nullptr;
  crypto::Certificate certificate;
  KeyCheck check;
};

// A secret that a neighbour shared with us.
struct HeldShares {
  std::int64_t of = 0;
  Bytes seed;
  Bytes key;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("of", self.of, kRequired);
    v("seed", self.seed, kRequired);
    v("key", self.key, kRequired);
  }
};

// A neighbour, as its checked keys say. `seal` is a secret: the key on which the two agreed for shares.
struct MaskNeighbour {
  std::int64_t index = 0;
  Bytes seal;
  Bytes mask;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("index", self.index, kRequired);
    v("seal", self.seal, kRequired);
    v("mask", self.mask, kRequired);
  }
};

struct SiteMasks {
  std::int64_t round = 0;  // of the secrets
  std::int64_t attempt = 0;
  std::int64_t spent = 0;  // the last round for which shares were given; outlives the secrets
  Bytes seal_key;
  Bytes mask_key;
  Bytes seed;
  Bytes body;   // of the keys that were signed
  Bytes heads;  // the roster
  std::int64_t index = 0;
  std::vector<MaskNeighbour> neighbours;
  std::vector<HeldShares> held;
  std::vector<std::int64_t> masked_with;  // neighbours whose pair masks are in the update
  Bytes consented;                        // survivors that were signed, or for whom shares were given

  SiteMasks() = default;
  SiteMasks(const SiteMasks&) = default;
  SiteMasks(SiteMasks&&) = default;
  SiteMasks& operator=(const SiteMasks&) = default;
  SiteMasks& operator=(SiteMasks&&) = default;
  ~SiteMasks() { Wipe(); }
  // Overwrites the secrets; `round`, `attempt` and `spent` stay.
  void Wipe() noexcept;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("round", self.round, kRequired);
    v("attempt", self.attempt, kRequired);
    v("spent", self.spent, kRequired);
    v("sealKey", self.seal_key);
    v("maskKey", self.mask_key);
    v("seed", self.seed);
    v("body", self.body);
    v("heads", self.heads);
    v("index", self.index);
    v("neighbours", self.neighbours);
    v("held", self.held);
    v("maskedWith", self.masked_with);
    v("consented", self.consented);
  }
};

// Answers a task of mask-keys, mask-shares, mask-consent or mask-unmask: CBOR of MaskKeys, MaskDeal, MaskConsent or
// MaskShares. kMaskForged, kMaskRefused, kMaskTooFew, kMaskSecretsLost, kRoundStale; `kept` is unchanged then.
Result<Bytes> AnswerMaskStep(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept);

// Step train: opens what the neighbours dealt, and gives the masks to lay over the update. A parcel that does not hold
// is passed over: its dealer cannot be unmasked with our help, and that shows at the root. Errors as above.
Result<crypto::MaskLayer> OpenMasks(const api::Task& task, SiteMasks& kept);
// And lays them over `words`, the whole of an update.
Result<void> MaskWords(const api::Task& task, SiteMasks& kept, std::span<std::uint32_t> words);

// The steps, one by one.
Result<api::MaskKeys> MakeMaskKeys(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept);
Result<api::MaskDeal> DealShares(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept);
Result<api::MaskConsent> Consent(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept);
Result<api::MaskShares> GiveShares(const api::Task& task, SiteMasks& kept);

}  // namespace ote::federate
