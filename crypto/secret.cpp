#include "crypto/secret.h"

#include <sodium.h>

#include <algorithm>
#include <new>
#include <utility>

#include "crypto/require.h"

namespace ote::crypto {

void Init() {
  static const bool ready = sodium_init() >= 0;
  Require(ready, "the system gives no randomness");
}

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  Init();
  // sodium_malloc locks the pages where the limit on locked memory allows it, and goes on without where it does not.
  data_ = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (data_ == nullptr) throw std::bad_alloc();
  sodium_memzero(data_, size);
}

SecretBytes SecretBytes::CopyOf(ByteView bytes) {
  SecretBytes copy(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data_);
  return copy;
}

SecretBytes SecretBytes::Random(std::size_t size) {
  SecretBytes fresh(size);
  if (size != 0) randombytes_buf(fresh.data_, size);
  return fresh;
}

SecretBytes::~SecretBytes() { sodium_free(data_); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

bool ConstantTimeEqual(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void Wipe(std::span<std::uint8_t> bytes) noexcept {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

std::array<std::uint8_t, 32> Mac(ByteView key, ByteView message) {
  Init();
  Require(key.size() >= crypto_generichash_KEYBYTES_MIN && key.size() <= crypto_generichash_KEYBYTES_MAX,
          "a MAC key has 16 to 64 bytes");
  std::array<std::uint8_t, 32> tag{};
  crypto_generichash(tag.data(), tag.size(), message.data(), message.size(), key.data(), key.size());
  return tag;
}

SecretBytes DeriveKey(ByteView secret, std::string_view context) {
  Init();
  Require(!context.empty(), "a derived key needs a context");
  std::array<std::uint8_t, crypto_generichash_blake2b_PERSONALBYTES> personal{};
  if (context.size() <= personal.size()) {
    std::copy(context.begin(), context.end(), personal.begin());
  } else {
    crypto_generichash(personal.data(), personal.size(), AsBytes(context).data(), context.size(), nullptr, 0);
  }
  SecretBytes key(32);
  crypto_generichash_blake2b_salt_personal(key.Mutable().data(), key.size(), secret.data(), secret.size(), nullptr, 0,
                                           nullptr, personal.data());
  return key;
}

}  // namespace ote::crypto
