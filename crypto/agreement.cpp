#include "crypto/agreement.h"

#include <sodium.h>

#include <algorithm>
#include <span>

#include "crypto/digest.h"
#include "crypto/require.h"

namespace ote::crypto {

Result<SecretBytes> AgreeKey(const TransportKey& own, const TransportPublic& other, ByteView context) {
  return AgreeKey(own.Secret(), own.Public(), other, context);
}

Result<SecretBytes> AgreeKey(ByteView secret, const TransportPublic& own, const TransportPublic& other,
                             ByteView context) {
  Init();
  Require(secret.size() == crypto_scalarmult_SCALARBYTES, "an X25519 key has 32 bytes");
  constexpr std::size_t kPart = 32;
  SecretBytes all(4 * kPart);
  const std::span<std::uint8_t> into = all.Mutable();
  if (crypto_scalarmult(into.data(), secret.data(), other.bytes.data()) != 0) {
    return Fail(ErrorId::kMaskForged, "a public key is none that a secret can be made with");
  }
  const auto [first, second] = std::minmax(own.bytes, other.bytes);
  std::copy(first.begin(), first.end(), into.begin() + kPart);
  std::copy(second.begin(), second.end(), into.begin() + 2 * kPart);
  const Digest about = DigestOf(context);
  std::copy(about.bytes.begin(), about.bytes.end(), into.begin() + 3 * kPart);
  return DeriveKey(all.View(), "ote-agree-v1");
}

}  // namespace ote::crypto
