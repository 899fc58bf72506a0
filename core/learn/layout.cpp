#include "core/learn/layout.h"

namespace ote::learn {

std::int64_t TensorInfo::Count() const noexcept {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

std::int64_t TotalCount(const Layout& layout) noexcept {
  std::int64_t total = 0;
  for (const TensorInfo& tensor : layout) total += tensor.Count();
  return total;
}

}  // namespace ote::learn
