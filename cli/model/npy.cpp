#include "cli/model/npy.h"

#include <fmt/format.h>

#include <bit>

namespace ote::cli {

Bytes WriteNpy(const std::vector<std::int64_t>& shape, std::span<const float> values) {
  constexpr std::size_t kPrefix = 10;  // magic, version, length of the header
  constexpr std::size_t kAlign = 64;
  std::string dimensions;
  for (const std::int64_t size : shape) dimensions += fmt::format("{}, ", size);
  // One dimension keeps its comma: (3,)
  if (shape.size() > 1) dimensions.resize(dimensions.size() - 2);
  if (shape.size() == 1) dimensions.pop_back();
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dimensions);
  while ((kPrefix + header.size() + 1) % kAlign != 0) header += ' ';
  header += '\n';

  Bytes file{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  file.push_back(static_cast<std::uint8_t>(header.size() & 0xFFU));
  file.push_back(static_cast<std::uint8_t>(header.size() >> 8U));
  file.insert(file.end(), header.begin(), header.end());
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) file.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return file;
}

}  // namespace ote::cli
