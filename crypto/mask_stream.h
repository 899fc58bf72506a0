// Masks: the ChaCha20 stream of a key (RFC 8439, nonce zero, from block 0), taken as numbers modulo 2^32.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

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

// Masks that are laid together: a block of values stays in the processor's first cache while all streams are added to
// it, four at a time, so that next to nothing is paid beside the streams themselves. One thread.
class MaskLayer {
 public:
  // One more mask, before the first Next().
  void Take(ByteView key, MaskSign sign);
  std::size_t size() const noexcept { return streams_.size(); }
  // Adds to `values`, or takes away, modulo 2^32, the next words of every stream: little-endian, in order. Nothing of
  // the streams is left in memory.
  void Next(std::span<std::uint32_t> values);

 private:
  std::vector<KeyStream> streams_;
  std::vector<std::uint32_t> signs_;  // 0 to add; all ones to take away
};

// One mask over all of `values`.
void AddMask(ByteView key, MaskSign sign, std::span<std::uint32_t> values);

}  // namespace ote::crypto
