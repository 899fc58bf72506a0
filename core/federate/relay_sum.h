// The sum that a relay makes of updates for the root, or the relay, that asked for it: exact, or, where the updates are
// masked, modulo 2^32. And how who asked adds it to its own, believing nothing that can be checked.
//
// Memory: that of the one sum. One thread.
#pragma once

#include <cstdint>
#include <variant>

#include "core/api/fold.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/accumulator.h"
#include "core/federate/compress/update_form.h"
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
  // What `work` asks for, with nothing in it. kMalformed when there are more than `most` values in an update, or sizes
  // or grid are none; parcel::OpenWork has looked at the rest.
  static Result<RelaySum> For(const api::FoldWork& work, std::int64_t most);
  // Of updates of `form`.
  static RelaySum Exact(const UpdateForm& form, Grid grid) { return {form, Accumulator(form.values, grid)}; }
  // Of `count` words.
  static RelaySum Masked(std::size_t count) { return {UpdateForm{{}, count, 1}, MaskedSum(count)}; }

  // As the sum's own kind and the form say; a masked update has the weight 1.
  Result<void> Fold(ByteView update, std::int64_t weight);
  // The sum of another relay, of updates whose weights add up to `weight`: MergeSaved.
  Result<void> Merge(ByteView saved, std::int64_t weight);
  Bytes Save() const;
  static std::size_t SavedSize(bool masked, std::size_t count) noexcept;

 private:
  RelaySum(const UpdateForm& form, std::variant<Accumulator, MaskedSum> sum) : form_(form), sum_(std::move(sum)) {}
  UpdateForm form_;
  std::variant<Accumulator, MaskedSum> sum_;
};

}  // namespace ote::federate
