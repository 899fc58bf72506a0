// NumPy's .npy format (NEP 1), for handing tensors out. The reader is in formats.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/learn/layout.h"

namespace ote::learn {

// Version 1.0, '<f4', C order; the data begins at a multiple of 64 bytes, as NumPy writes it. `values` has
// tensor.Count() elements; the name of the tensor is not in the format.
Bytes WriteNpy(const TensorInfo& tensor, std::span<const float> values);
// The header alone; the values follow it directly. For writing without a copy of them.
Bytes NpyHeader(const std::vector<std::int64_t>& shape);

}  // namespace ote::learn
