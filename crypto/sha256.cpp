#include "crypto/sha256.h"

#include <sodium.h>

namespace ote::crypto {

std::array<std::uint8_t, 32> Sha256(ByteView bytes) noexcept {
  std::array<std::uint8_t, 32> out{};
  crypto_hash_sha256(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace ote::crypto
