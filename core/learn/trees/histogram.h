// Sums of slopes over the rows of a site, by node and bin: what it sends for each level of the trees.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/result.h"
#include "core/learn/data.h"
#include "core/learn/trees/forest.h"

namespace ote::learn::trees {

// Where the histogram of each feature begins within that of a node, in bins; one number more than there are features.
// A feature has one bin more than cuts, and one for missing values behind them.
std::vector<std::size_t> BinOffsets(const Plan& plan, const Forest<const float>& forest);

// For each open node, in the order of OpenNodes, and each bin: the sum of first and that of second derivatives.
// kInterrupted when stopped.
Result<void> Histograms(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                        const Table& rows, std::span<double> sums, std::stop_token stop);

}  // namespace ote::learn::trees
