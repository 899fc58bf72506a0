// A key that two members have in common, made of their X25519 keys (RFC 7748) without a word between them.
#pragma once

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

namespace ote::crypto {

// 32 bytes, the same for both: X25519 of the one's secret and the other's public key, with both public keys and
// `context`, so that it is good for this pair and this use alone. kMaskForged when `other` is a point of small order,
// with which anybody would know the key.
Result<SecretBytes> AgreeKey(const TransportKey& own, const TransportPublic& other, ByteView context);
// The same of a secret key whose public one is known: nothing is spent on making that.
Result<SecretBytes> AgreeKey(ByteView secret, const TransportPublic& own, const TransportPublic& other,
                             ByteView context);

}  // namespace ote::crypto
