// The sum that a relay makes of updates for the root, or the relay, that asked for it: exact, or, where the updates are
// masked, modulo 2^32. And how who asked adds it to its own, believing nothing that can be checked.
//
// Memory: that of the one sum. One thread.
#pragma once

#include <cstdint>
#include <variant>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/accumulator.h"
#include "core/federate/masks/masked_sum.h"

namespace ote::federate {

// Adds what a relay's sum holds, as Save() gave it: all of it or, with an error, nothing. kUpdateOutOfRange when it
// does not stand for `weight` examples; kStoreCorrupt, kUpdateShape and what Merge says when it is no sum of this kind.
Result<void> MergeSaved(Accumulator& into, ByteView saved, std::int64_t weight);
// The same of masked updates, each of which counts once in it: kUpdateOutOfRange when it is not of `updates`. The
// examples behind them, which a relay is not told, are `weight`.
Result<void> MergeSaved(MaskedSum& into, ByteView saved, std::int64_t updates, std::int64_t weight);

class RelaySum {
 public:
  // Of `count` values.
  static RelaySum Exact(std::size_t count, Grid grid) { return RelaySum(Accumulator(count, grid)); }
  static RelaySum Masked(std::size_t count) { return RelaySum(MaskedSum(count)); }

  // As the sum's own kind says; a masked update has the weight 1.
  Result<void> Fold(ByteView update, std::int64_t weight);
  // The sum of another relay, of updates whose weights add up to `weight`: MergeSaved.
  Result<void> Merge(ByteView saved, std::int64_t weight);
  Bytes Save() const;
  static std::size_t SavedSize(bool masked, std::size_t count) noexcept;

 private:
  explicit RelaySum(std::variant<Accumulator, MaskedSum> sum) : sum_(std::move(sum)) {}
  std::variant<Accumulator, MaskedSum> sum_;
};

}  // namespace ote::federate
