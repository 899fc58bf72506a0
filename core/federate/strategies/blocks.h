// Reading all updates of a round in blocks of coordinates, within a bound of memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/federate/strategy.h"

namespace ote::federate {

// Calls visit(begin, rows) for block after block: rows[u] holds the values [begin, begin + n) of update u, where every
// rows[u] has the same n. All rows of a block together take at most updates.memory bytes, but at least one value each.
template <class Visit>
Result<void> ForEachBlock(const Gathered& updates, Visit visit) {
  const auto sites = static_cast<std::int64_t>(updates.digests.size());
  const std::int64_t width =
      std::clamp<std::int64_t>(updates.memory / (sites * static_cast<std::int64_t>(sizeof(float))), 1, updates.count);
  std::vector<float> values(static_cast<std::size_t>(sites * width));
  std::vector<std::span<float>> rows(static_cast<std::size_t>(sites));
  for (std::int64_t begin = 0; begin < updates.count; begin += width) {
    const std::int64_t n = std::min(width, updates.count - begin);
    for (std::int64_t u = 0; u < sites; ++u) {
      const auto row = std::span(values).subspan(static_cast<std::size_t>(u * width), static_cast<std::size_t>(n));
      rows[static_cast<std::size_t>(u)] = row;
      OTE_CHECK(updates.read(updates.digests[static_cast<std::size_t>(u)],
                             begin * static_cast<std::int64_t>(sizeof(float)),
                             {reinterpret_cast<std::uint8_t*>(row.data()), row.size_bytes()}));
    }
    OTE_CHECK(visit(static_cast<std::size_t>(begin), std::span<const std::span<float>>(rows)));
  }
  return {};
}

inline constexpr StrategySetting kMemory = {"memory", "256MiB",
                                            "of the root for a round's updates; of more, blocks are read from disk"};

}  // namespace ote::federate
