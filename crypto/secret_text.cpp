#include "crypto/secret_text.h"

#include <sodium.h>

namespace ote::crypto {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

}  // namespace

SecretBytes EncodeSecret(ByteView secret) {
  Init();
  SecretBytes with_zero(sodium_base64_encoded_len(secret.size(), kVariant));
  sodium_bin2base64(reinterpret_cast<char*>(with_zero.Mutable().data()), with_zero.size(), secret.data(), secret.size(),
                    kVariant);
  return SecretBytes::CopyOf(with_zero.View().first(with_zero.size() - 1));
}

std::optional<SecretBytes> DecodeSecret(std::string_view text, std::size_t size) {
  Init();
  SecretBytes secret(size);
  std::size_t got = 0;
  const char* end = nullptr;
  // libsodium refuses foreign characters, padding and non-zero trailing bits in this variant.
  if (sodium_base642bin(secret.Mutable().data(), size, text.data(), text.size(), nullptr, &got, &end, kVariant) != 0 ||
      got != size || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return secret;
}

}  // namespace ote::crypto
