// The exchanges before the first tree: cut points, the scale of the targets, and the prediction without trees.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "core/learn/data.h"
#include "core/learn/trees/forest.h"

namespace ote::learn::trees {

// Values in the contribution to the sketch that comes next.
std::int64_t SketchCount(const Plan& plan, const Forest<const float>& forest, const Progress& progress);
// Shares of the site's rows: for each feature in each bucket, then for the target (in the first sketch its classes or
// the buckets of its values; in the second the mean of a value over the scale).
void Sketch(const Plan& plan, const Forest<const float>& forest, const Progress& progress, const Table& rows,
            std::span<double> sums);
// Chooses edges or, in the last sketch, cuts; and base and scale in passing.
void UseSketch(const Plan& plan, const Forest<float>& forest, const Progress& progress, std::span<const double> mean,
               std::int64_t rows);

}  // namespace ote::learn::trees
