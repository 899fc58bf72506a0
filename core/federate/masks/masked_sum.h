// The sum of masked updates, modulo 2^32. It can be added up in any order and in parts: a relay adds those of its
// subtree, and passes one sum on. Nothing can be read from it before the masks are taken out.
//
// Memory: 4 bytes a value, however many updates are in it. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::federate {

class MaskedSum {
 public:
  explicit MaskedSum(std::size_t count) : values_(count) {}

  // Adds an update: `count` little-endian words. kUpdateShape.
  Result<void> Fold(ByteView update, std::int64_t weight);
  // Adds what another sum holds; the second as `weight` examples, whatever it says itself. kUpdateShape for another
  // count.
  Result<void> Merge(const MaskedSum& other) { return Merge(other, other.weight_); }
  Result<void> Merge(const MaskedSum& other, std::int64_t weight);

  std::size_t count() const noexcept { return values_.size(); }
  std::int64_t weight() const noexcept { return weight_; }    // examples behind it
  std::int64_t updates() const noexcept { return updates_; }  // in it
  std::span<const std::uint32_t> values() const noexcept { return values_; }
  std::span<std::uint32_t> Mutable() noexcept { return values_; }

  // "OTEMSK1\0", weight, updates, count, 64-bit, and the values, all little-endian. Restore trusts no length
  // (kStoreCorrupt).
  Bytes Save() const;
  static std::size_t SavedSize(std::size_t count) noexcept;
  static Result<MaskedSum> Restore(ByteView bytes);

 private:
  std::int64_t weight_ = 0;
  std::int64_t updates_ = 0;
  std::vector<std::uint32_t> values_;
};

}  // namespace ote::federate
