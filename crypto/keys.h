// Keys of a member: Ed25519 to sign (RFC 8032), X25519 for its links (RFC 7748; the curve of ZeroMQ's CURVE).
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/secret.h"

namespace ote::crypto {

// Public keys are plain values.
struct VerifyKey {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const VerifyKey&, const VerifyKey&) = default;
};
struct TransportPublic {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const TransportPublic&, const TransportPublic&) = default;
};
using Signature = std::array<std::uint8_t, 64>;
// BLAKE2b-256 of an authority's verify key; what is pinned, and what people compare.
using Fingerprint = std::array<std::uint8_t, 32>;

Fingerprint FingerprintOf(const VerifyKey& key);
// Base64url, 43 characters; the same spelling for keys and fingerprints everywhere.
std::string ToText(const std::array<std::uint8_t, 32>& bytes);
Result<std::array<std::uint8_t, 32>> KeyFromText(std::string_view text);
// A public key or fingerprint as it travels, and back. A wrong length gives the zero key, which verifies nothing and
// opens no link.
Bytes ToBytes(const std::array<std::uint8_t, 32>& key);
std::array<std::uint8_t, 32> AsKey(ByteView bytes) noexcept;

class SigningKey {
 public:
  static SigningKey Generate();
  // 32 bytes of seed (RFC 8032); kKeyFileInvalid for another length.
  static Result<SigningKey> FromSeed(ByteView seed);
  const VerifyKey& Public() const noexcept { return public_; }
  // Signs `domain`, a zero byte, and `message`: a signature made for one use is void for every other.
  Signature Sign(std::string_view domain, ByteView message) const;
  ByteView Seed() const noexcept { return seed_.View(); }

 private:
  SecretBytes seed_;
  SecretBytes expanded_;
  VerifyKey public_;
};

// kSignatureInvalid unless `key` made `signature` over the same domain and message.
Result<void> Verify(const VerifyKey& key, std::string_view domain, ByteView message, ByteView signature);

class TransportKey {
 public:
  static TransportKey Generate();
  // From 32 secret bytes, clamped by the curve; kKeyFileInvalid for another length.
  static Result<TransportKey> FromSecret(ByteView secret);
  const TransportPublic& Public() const noexcept { return public_; }
  // For the transport only (CURVE needs the secret key itself).
  ByteView Secret() const noexcept { return secret_.View(); }

 private:
  SecretBytes secret_;
  TransportPublic public_;
};

// Key files: one line, `ote-<kind>-key-v1 <base64url>`; mode 0600, written atomically, refused when exposed
// (kKeyFileExposed), damaged, or of another kind (kKeyFileInvalid). Existing files are not overwritten (kConflict).
Result<void> SaveSigningKey(const std::filesystem::path& path, const SigningKey& key);
Result<SigningKey> LoadSigningKey(const std::filesystem::path& path);
Result<void> SaveTransportKey(const std::filesystem::path& path, const TransportKey& key);
Result<TransportKey> LoadTransportKey(const std::filesystem::path& path);
// Overwrites the file with zeros and removes it; one that is not there is passed over. On a disk that writes elsewhere
// than where it is told (flash, snapshots) the old bytes may stay.
Result<void> DestroyKeyFile(const std::filesystem::path& path);
// Puts `next` in the place of `path`, whose key is destroyed first: a crash in between leaves `next` as it was.
Result<void> ReplaceKeyFile(const std::filesystem::path& path, const std::filesystem::path& next);

}  // namespace ote::crypto
