// SHA-256 (FIPS 180-4), for names that others prescribe. Our own digests are BLAKE2b: crypto/digest.h.
#pragma once

#include <array>

#include "core/base/bytes.h"

namespace ote::crypto {

std::array<std::uint8_t, 32> Sha256(ByteView bytes) noexcept;

}  // namespace ote::crypto
