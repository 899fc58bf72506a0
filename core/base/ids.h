// Random identifiers and the rules for names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace ote {

// 64 random bits from the system (getrandom).
std::uint64_t RandomU64();
// `prefix-` and ten characters of Crockford's base 32 (50 random bits): "run-7k2m9q4x0d".
std::string NewId(std::string_view prefix);

// Names of clusters, data sets, models: as a DNS label, 1 to 63 of a-z, 0-9 and '-', not at the ends (RFC 1123).
Result<void> CheckName(std::string_view what, std::string_view name);
// The one of `known` that is nearest to `word` by edit distance, or "" when none is near.
template <class Range>
std::string_view Nearest(std::string_view word, const Range& known);

std::size_t EditDistance(std::string_view a, std::string_view b);

template <class Range>
std::string_view Nearest(std::string_view word, const Range& known) {
  std::string_view best;
  std::size_t best_distance = word.size() / 2 + 2;
  for (std::string_view candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace ote
