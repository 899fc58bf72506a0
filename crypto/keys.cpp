#include "crypto/keys.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/require.h"

namespace ote::crypto {
namespace {

// What is signed: the domain, a zero byte, the message. No domain has a zero byte in it, so no two pairs give the same.
Bytes Framed(std::string_view domain, ByteView message) {
  Require(!domain.empty() && domain.find('\0') == std::string_view::npos, "a signature domain is text and not empty");
  Bytes framed;
  framed.reserve(domain.size() + 1 + message.size());
  framed.insert(framed.end(), domain.begin(), domain.end());
  framed.push_back(0);
  framed.insert(framed.end(), message.begin(), message.end());
  return framed;
}

}  // namespace

Fingerprint FingerprintOf(const VerifyKey& key) { return DigestOf(key.bytes).bytes; }

std::string ToText(const std::array<std::uint8_t, 32>& bytes) { return Base64UrlEncode(bytes); }

Result<std::array<std::uint8_t, 32>> KeyFromText(std::string_view text) {
  std::array<std::uint8_t, 32> key{};
  if (text.size() == 43) {
    if (auto bytes = Base64UrlDecode(text); bytes && bytes->size() == key.size()) {
      std::copy(bytes->begin(), bytes->end(), key.begin());
      return key;
    }
  }
  return Fail(ErrorId::kMalformed, "a key or fingerprint is 43 characters of A-Z, a-z, 0-9, - and _");
}

Bytes ToBytes(const std::array<std::uint8_t, 32>& key) { return {key.begin(), key.end()}; }

std::array<std::uint8_t, 32> AsKey(ByteView bytes) noexcept {
  std::array<std::uint8_t, 32> key{};
  if (bytes.size() == key.size()) std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

SigningKey SigningKey::Generate() {
  const SecretBytes seed = SecretBytes::Random(crypto_sign_SEEDBYTES);
  return std::move(*FromSeed(seed.View()));
}

Result<SigningKey> SigningKey::FromSeed(ByteView seed) {
  Init();
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return Fail(ErrorId::kKeyFileInvalid, fmt::format("a signing key has 32 bytes, this one has {}", seed.size()));
  }
  SigningKey key;
  key.seed_ = SecretBytes::CopyOf(seed);
  key.expanded_ = SecretBytes(crypto_sign_SECRETKEYBYTES);
  crypto_sign_seed_keypair(key.public_.bytes.data(), key.expanded_.Mutable().data(), key.seed_.View().data());
  return key;
}

Signature SigningKey::Sign(std::string_view domain, ByteView message) const {
  Require(!expanded_.empty(), "a signing key was moved away before it was used");
  const Bytes framed = Framed(domain, message);
  Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, framed.data(), framed.size(), expanded_.View().data());
  return signature;
}

Result<void> Verify(const VerifyKey& key, std::string_view domain, ByteView message, ByteView signature) {
  Init();
  if (signature.size() != crypto_sign_BYTES) {
    return Fail(ErrorId::kSignatureInvalid, fmt::format("a signature has 64 bytes, this one has {}", signature.size()));
  }
  const Bytes framed = Framed(domain, message);
  // libsodium refuses keys of small order and every spelling of a signature but the canonical one.
  if (crypto_sign_verify_detached(signature.data(), framed.data(), framed.size(), key.bytes.data()) != 0) {
    return Fail(ErrorId::kSignatureInvalid, "the signature was not made by this key over these bytes for this use");
  }
  return {};
}

TransportKey TransportKey::Generate() {
  const SecretBytes secret = SecretBytes::Random(crypto_scalarmult_curve25519_SCALARBYTES);
  return std::move(*FromSecret(secret.View()));
}

Result<TransportKey> TransportKey::FromSecret(ByteView secret) {
  Init();
  if (secret.size() != crypto_scalarmult_curve25519_SCALARBYTES) {
    return Fail(ErrorId::kKeyFileInvalid, fmt::format("a transport key has 32 bytes, this one has {}", secret.size()));
  }
  TransportKey key;
  key.secret_ = SecretBytes::CopyOf(secret);
  crypto_scalarmult_curve25519_base(key.public_.bytes.data(), key.secret_.View().data());
  return key;
}

}  // namespace ote::crypto
