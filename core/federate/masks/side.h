// What a masked update carries beside its values, so that the root learns of all sites together what it would otherwise
// be told by each: how the given model and the sites' own ones did on their rows, and how many values were cut.
//
// Measures are told as (rows, value·rows), in fixed point: a mean over r rows is off by less than the number of
// sites · 2^-17 / r.
#pragma once

#include <cstdint>
#include <span>

#include "core/api/training.h"
#include "core/base/result.h"

namespace ote::federate {

struct MaskSide {
  std::int64_t sites = 1;
  std::int64_t cut = 0;   // values beyond the bound
  double train_loss = 0;  // of a site; the mean over them in a sum
  api::Metrics metrics;
  api::Metrics personal;
};

// Words that it takes, behind the values of the update.
std::size_t MaskSideWords() noexcept;
void PutMaskSide(const MaskSide& side, std::span<std::uint32_t> words);
// From the sum over `sites`. kMaskForged when it is that of another number of sites: the masks did not cancel.
Result<MaskSide> TakeMaskSide(std::span<const std::uint32_t> words, std::int64_t sites);

}  // namespace ote::federate
