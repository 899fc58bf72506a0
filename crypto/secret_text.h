// Base64url of secrets, with no copy outside wiped memory.
#pragma once

#include <optional>
#include <string_view>

#include "crypto/secret.h"

namespace ote::crypto {

// The characters, without a terminating zero.
SecretBytes EncodeSecret(ByteView secret);
// The bytes, when `text` is the one canonical spelling of `size` bytes; nothing otherwise.
std::optional<SecretBytes> DecodeSecret(std::string_view text, std::size_t size);

}  // namespace ote::crypto
