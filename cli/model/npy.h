// The NPY file format, version 1.0 (NumPy Enhancement Proposal 1): one array a file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/bytes.h"

namespace ote::cli {

// `values` row-major in `shape`, as little-endian float32.
Bytes WriteNpy(const std::vector<std::int64_t>& shape, std::span<const float> values);

}  // namespace ote::cli
