// What goes between a root and a relay that adds up the updates of its subtree: the work, sealed to the relay, and the
// sum, sealed to the run. Pure; any thread.
#pragma once

#include <string>

#include "core/api/fold.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/keys.h"
#include "crypto/sealed.h"

namespace ote::parcel {

// kSealBroken when `to` is no key.
Result<api::FoldRequest> SealWork(const api::FoldWork& work, const std::string& relay,
                                  const crypto::TransportPublic& to);
// kSealBroken, kMalformed when it does not hold together.
Result<api::FoldWork> OpenWork(const api::FoldRequest& request, const std::string& relay,
                               const crypto::TransportKey& key);

// `digest` of the sum itself. kSealBroken.
Result<crypto::Sealer> SealerOfSum(const api::FoldWork& work, const std::string& relay, const std::string& digest);
Result<crypto::Opener> OpenerOfSum(const std::string& run, std::int64_t round, const std::string& relay,
                                   const std::string& digest, const crypto::TransportKey& answer_key, ByteView header);

}  // namespace ote::parcel
