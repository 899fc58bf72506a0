// Memory for secrets: locked, guarded, wiped when it goes.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::crypto {

// Must be called once before anything else here; idempotent, any thread. Aborts when the system gives no randomness.
void Init();

// From here on no core is dumped of this process, and no other one of its user may look into its memory or its files
// (PR_SET_DUMPABLE); the superuser may. Of its own files in /proc it may only read then. What it executes is as any
// other. The secrets of SecretBytes are in no core anyway (MADV_DONTDUMP); those that a library keeps of them may be.
void HideMemory() noexcept;

// A fixed number of secret bytes (sodium_malloc; small ones share pages). Move-only, no formatter, no ==; wiped at end.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size);  // all zero
  static SecretBytes CopyOf(ByteView bytes);
  static SecretBytes Random(std::size_t size);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  std::span<std::uint8_t> Mutable() noexcept { return {data_, size_}; }
  ByteView View() const noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// In time that does not depend on the content.
bool ConstantTimeEqual(ByteView a, ByteView b) noexcept;
// Overwrites memory that held a secret outside SecretBytes.
void Wipe(std::span<std::uint8_t> bytes) noexcept;

// Keyed BLAKE2b-256, for proofs; `key` has 16 to 64 bytes.
std::array<std::uint8_t, 32> Mac(ByteView key, ByteView message);
// A key derived from `secret` for one use: BLAKE2b-256 of the secret, personalised by `context` (zero-padded to 16
// bytes; a longer one by its BLAKE2b-128). `secret` must hold 128 random bits or more; `context` is not empty.
SecretBytes DeriveKey(ByteView secret, std::string_view context);

}  // namespace ote::crypto
