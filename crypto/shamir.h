// Secrets that any `needed` of `count` holders can put together, and fewer know nothing of (Shamir 1979).
//
// Over GF(2^8) with the polynomial of AES (FIPS 197), byte by byte; holder x has the value at x, 1 to 255, and the
// secret is the value at 0. Time depends on sizes and on x alone, never on a secret. A share that was altered gives
// another secret: what is put together has to be compared with something that is known of it.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/secret.h"

namespace ote::crypto {

inline constexpr std::size_t kMostShares = 255;

// The shares of holders 1 to `count`, one behind the other, each as long as the secret. A bug when not
// 1 <= needed <= count <= kMostShares.
SecretBytes SplitSecret(ByteView secret, std::size_t needed, std::size_t count);

struct ShareOf {
  std::uint8_t holder = 0;  // x
  ByteView share;
};
// The secret that all of `shares` make: pass exactly as many as are needed. kMaskShareInvalid for none, for a holder 0
// or one that comes twice, and for different lengths.
Result<SecretBytes> JoinShares(std::span<const ShareOf> shares);

// Products and inverses in the field, for tests against FIPS 197. Inverse(0) is 0.
std::uint8_t FieldProduct(std::uint8_t a, std::uint8_t b) noexcept;
std::uint8_t FieldInverse(std::uint8_t a) noexcept;

}  // namespace ote::crypto
