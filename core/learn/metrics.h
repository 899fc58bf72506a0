// How good predictions are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace ote::learn {

// The area under the ROC curve: the chance that a row of class 1 scores above one of class 0, ties counting half (Mann
// and Whitney 1947). Empty when one of the classes has no row. Targets are 0 or 1; scores are not NaN.
std::optional<double> Auc(std::span<const float> scores, std::span<const float> targets);

// The place of the largest value of a row; the first of equals.
std::int64_t ArgMax(std::span<const float> row) noexcept;

}  // namespace ote::learn
