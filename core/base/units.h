// Quantities as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace ote {

// "90s", "5m", "24h", "7d", "250ms", and sums such as "1h30m". A bare number has no unit and is refused.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
// The spelling with the largest units first, which ParseDuration reads back: "1h30m", "1d", "0s".
std::string FormatDuration(std::chrono::milliseconds value);

// "64MiB", "3GiB", "10kB", "512". Powers of 1024 with an i, of 1000 without.
Result<std::uint64_t> ParseSize(std::string_view text);
// For people: "3.9 MiB".
std::string FormatSize(std::uint64_t bytes);

}  // namespace ote
