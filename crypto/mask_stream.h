// Masks: the ChaCha20 stream of a key (RFC 8439, nonce zero, from block 0), taken as numbers modulo 2^32.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/base/bytes.h"

namespace ote::crypto {

// A key stream, piece by piece. The key, 32 bytes, must be used for this one stream alone. One thread.
class KeyStream {
 public:
  explicit KeyStream(ByteView key);
  KeyStream(KeyStream&&) noexcept;
  KeyStream& operator=(KeyStream&&) noexcept;
  ~KeyStream();
  // The next bytes of the stream.
  void Next(std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

enum class MaskSign { kAdd, kSubtract };
// Adds the stream of `key` to `values`, or takes it away, modulo 2^32: little-endian words of the stream, in order. In
// pieces that stay in the processor's caches; nothing of the stream is left in memory.
void AddMask(ByteView key, MaskSign sign, std::span<std::uint32_t> values);

}  // namespace ote::crypto
