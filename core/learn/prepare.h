// From statistics of all rows to what is done to each column, and doing it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/api/prepare.h"
#include "core/base/result.h"
#include "core/learn/data.h"

namespace ote::learn {

// What `spec` comes to for rows of which `merged` tells, over the rows that are trained on; `classes` are those of the
// run, empty for a regression. Numbers: what is missing is filled, then shifted and scaled; a constant column is
// shifted to 0 and stays as wide as it is. Categories: one column each, sorted by bytes. Class weights: rows / (classes
// * rows of the class), 1 for a class without rows.
//
// kDataNeedsPrepare when values are missing and nothing is to stand in for them, when there are categories and no
// oneHot, and for a categorical column that has no value anywhere.
Result<api::Preparation> PlanPreparation(const api::PrepareSpec& spec, const api::DataStatistics& merged,
                                         const std::vector<std::string>& classes);

// Does it to all rows, in place: afterwards all features are finite numbers, and there are no categories. All or
// nothing. kDataNeedsPrepare names column and row (of the file, from 1) of a value that is missing and stays so, and of
// categories for which no columns were made; kModelDataMismatch when the columns are not those of the preparation;
// kDataBadRow for a value that gets out of range. An empty preparation only checks the rows.
Result<void> Prepare(Table& rows, const api::Preparation& preparation);

// For a preparation from a peer or a file: kRunInvalid for numbers that are not finite, weights that are negative,
// categories that are too many, too long or not sorted.
Result<void> CheckPreparation(const api::Preparation& preparation);

// How many columns `raw` ones become, and what they are called: "colour=red" for a category.
std::int64_t PreparedColumns(const api::Preparation& preparation, std::int64_t raw) noexcept;
std::vector<std::string> PreparedNames(const api::Preparation& preparation, const std::vector<std::string>& raw);

}  // namespace ote::learn
