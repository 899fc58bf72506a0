// What is told of rows in place of the rows: counts, means, spreads, ranges, quantiles, categories; of one site, and of
// several put together.
#pragma once

#include <cstdint>
#include <span>

#include "core/api/prepare.h"
#include "core/base/result.h"
#include "core/learn/data.h"

namespace ote::learn {

// A column with more categories is not one of categories.
inline constexpr std::size_t kMaxCategories = 1000;
inline constexpr std::size_t kMaxCategoryBytes = 256;

// Into how many parts the quantiles cut a column of `count` values: a power of two from 2 to 64, so that a part holds
// four values at least where it can, and a short column is not told value by value.
std::int64_t QuantileParts(std::int64_t count) noexcept;

// Of the features as they stand: a NaN is a value that is missing. Variances are of two passes, quantiles those that
// numpy calls linear (Hyndman and Fan 1996, type 7). The same bits for the same rows in any order.
api::DataStatistics Summarise(const Table& rows);
// The same over the rows of both, which have the same columns, classes and categories: the parts of a split.
api::DataStatistics Summarise(const Table& rows, const Table& more);

// What a plan for `purpose` needs of the rows, and no more: quantiles for a median only, categories for oneHot only,
// classes for class weights only. kUnsupported when it does not fit in a message.
Result<api::DataStatistics> Survey(const Table& rows, const api::PrepareSpec& purpose);
// Leaves quantiles out when it does not fit otherwise; kUnsupported when that is not enough.
Result<void> FitInMessage(api::DataStatistics& statistics);

// kStatisticsInvalid for what no rows can have: counts that are negative or do not add up, values that are not finite
// or out of order. Quantiles, categories and classes may be left out. For what a peer sends.
Result<void> CheckStatistics(const api::DataStatistics& statistics);

// As over the rows of all sites together. Counts, ranges, classes and categories are exact, means and variances (Chan,
// Golub and LeVeque 1979) up to rounding. A quantile stands at a rank that is off by one part of the sites' quantiles
// at most: 1/64 of the rows where each site has 256 or more; there are none when a site left them out. The same bits in
// any order of the sites.
//
// kStatisticsInvalid also when the sites' columns differ; kTooManyCategories when all sites together have too many.
Result<api::DataStatistics> MergeStatistics(std::span<const api::DataStatistics> sites);

}  // namespace ote::learn
