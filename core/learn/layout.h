// Parameters of a model: one flat buffer of float32, its tensors side by side in the order of the layout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ote::learn {

struct TensorInfo {
  std::string name;                 // "layers.0.weight"
  std::vector<std::int64_t> shape;  // row-major; a weight is [outputs, inputs] as in PyTorch
  std::int64_t Count() const noexcept;
  friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};
using Layout = std::vector<TensorInfo>;
// All elements of all tensors.
std::int64_t TotalCount(const Layout& layout) noexcept;

}  // namespace ote::learn
