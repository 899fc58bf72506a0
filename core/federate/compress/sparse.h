// A few values of a vector and their places, update_form.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::federate {

// Bytes of `kept` of `count` values; at least one of at least as many.
std::size_t SparseSize(std::size_t count, std::size_t kept) noexcept;

// Fills `out`, which has that size, with the `kept` values of the greatest magnitude, all of them finite, and turns
// `values` into what is read from it. Of values that are as great as each other, those that stand first are kept.
void KeepLargest(std::span<float> values, std::size_t kept, std::span<std::uint8_t> out);

// Reads what KeepLargest wrote, entry by entry, in the order of the places.
class SparseReader {
 public:
  // `bytes` must outlive the reader. Checks the size alone: kUpdateShape.
  static Result<SparseReader> Open(ByteView bytes, std::size_t count, std::size_t kept);

  struct Entry {
    std::size_t place = 0;
    float value = 0;
  };
  // Whether there was one more. kUpdateShape for places that are not below count and ascending, or when there are more
  // of them than was said; kUpdateNotFinite, kUpdateOutOfRange for values beyond ±kBound.
  Result<bool> Next(Entry& out);

 private:
  SparseReader(ByteView bytes, std::size_t count, std::size_t kept) noexcept;

  std::size_t count_;
  std::size_t kept_;
  ByteView values_;
  ByteView high_;  // bits
  ByteView low_;
  std::size_t low_bits_;
  std::size_t read_ = 0;
  std::size_t at_ = 0;  // of the bits of high_
  std::size_t last_ = 0;
};

}  // namespace ote::federate
