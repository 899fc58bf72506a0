// The sealed streams that go beside parcels: models down, updates up. What each is bound to, and who can open it.
//
// An update is sealed by its site to the run's key, bound to run, round, kind, site and the digest of what is in it;
// the same update gives the same stream (Sealer::Repeatable), so that a task that was done twice has one answer. A
// model, or another artifact that goes to many sites, is sealed once with a fresh key, bound to the run and the digest
// of what is in it; the key goes to each site sealed to its certified transport key, bound to run, site and the
// stream's digest. Pure; any thread.
#pragma once

#include <string>

#include "core/api/sealing.h"
#include "core/api/task.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/keys.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

namespace ote::parcel {

// What a site's repeatable seals are made from: of no use for anything else.
crypto::SecretBytes UpdateSecret(const crypto::SigningKey& own);
// `offer` with run, round, kind and digest. kMalformed, kSealBroken.
Result<crypto::Sealer> SealerOfUpdate(const api::UpdateOffer& offer, const std::string& site, ByteView answer_key,
                                      const crypto::SecretBytes& secret);
Result<crypto::Opener> OpenerOfUpdate(const api::UpdateOffer& offer, const std::string& site,
                                      const crypto::TransportKey& answer_key, ByteView header);

// What opens the one stream of `offer` that begins with `header`, for a relay that adds it up. kSealBroken.
Result<crypto::SecretBytes> KeyOfUpdate(const api::UpdateOffer& offer, const std::string& site,
                                        const crypto::TransportKey& answer_key, ByteView header);

inline constexpr std::size_t kContentKey = 32;
// `digest` of the plain artifact; `key` is fresh, and for this one stream.
crypto::Sealer SealerOfModel(const std::string& run, const std::string& digest, const crypto::SecretBytes& key);
Result<crypto::Opener> OpenerOfModel(const std::string& run, const std::string& digest, const crypto::SecretBytes& key,
                                     ByteView header);

Result<Bytes> WrapKey(const crypto::SecretBytes& key, const std::string& run, const std::string& site,
                      const api::SealedCopy& copy, const crypto::TransportPublic& to);
// kSealBroken.
Result<crypto::SecretBytes> UnwrapKey(const api::LockedCopy& locked, const std::string& run, const std::string& site,
                                      const crypto::TransportKey& key);

}  // namespace ote::parcel
