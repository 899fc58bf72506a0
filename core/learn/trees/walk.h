// From a row to the leaves of the trees.
#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "core/base/result.h"
#include "core/learn/data.h"
#include "core/learn/trees/forest.h"

namespace ote::learn::trees {

// What the finished trees say of each row: rows × series sums, the base included. kInterrupted when stopped.
Result<std::vector<double>> Margins(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                                    const Table& rows, std::stop_token stop = {});

// Where each row stands in the trees that grow now: rows × series places of nodes within their trees, at the level of
// `progress`.
std::vector<std::int32_t> Standing(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                                   const Table& rows);

}  // namespace ote::learn::trees
