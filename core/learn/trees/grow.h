// The growing of trees, level by level, from histograms of all sites together (Chen and Guestrin 2016, XGBoost).
#pragma once

#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "core/learn/trees/forest.h"

namespace ote::learn::trees {

// Opens the roots of the next trees; nothing when all are there.
void Plant(const Plan& plan, const Forest<float>& forest, std::int64_t tree) noexcept;

// Splits each open node where that gains most, or closes it; then goes on to the next level, or to the next tree when
// no node is open. `mean` is what Histograms sums up, over `rows`. kTrainingFailed for a leaf that is not finite.
Result<void> Grow(const Plan& plan, const Forest<float>& forest, Progress& progress, std::span<const double> mean,
                  std::int64_t rows);

}  // namespace ote::learn::trees
