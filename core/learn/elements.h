// Numbers of any type and byte order in a buffer, made float32.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/formats.h"

namespace ote::learn {

// The number at `from`, which need not be aligned.
template <class T, std::endian kOrder>
T LoadElement(const std::uint8_t* from) noexcept {
  std::uint8_t raw[sizeof(T)];
  std::memcpy(raw, from, sizeof(T));
  if constexpr (kOrder != std::endian::native) std::reverse(raw, raw + sizeof(T));
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

// All of `data`, whose size is a multiple of the element's. kDataBadRow names the element that is not finite as
// float32.
template <class T, std::endian kOrder>
Result<std::vector<float>> ReadElements(ByteView data, ErrorId otherwise, std::string_view name, NotThere missing) {
  if (data.size() % sizeof(T) != 0) return Fail(otherwise, fmt::format("{}: half an element at the end", name));
  std::vector<float> values(data.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(LoadElement<T, kOrder>(data.data() + i * sizeof(T)));
  }
  if constexpr (std::is_floating_point_v<T>) {
    const auto bad = std::find_if(values.begin(), values.end(), [missing](float value) {
      return !std::isfinite(value) && !(missing == NotThere::kAllowed && std::isnan(value));
    });
    if (bad != values.end()) {
      return Fail(ErrorId::kDataBadRow,
                  fmt::format("{}: element {}: not finite as a 32-bit float", name, bad - values.begin() + 1),
                  std::isnan(*bad) ? "for values that are missing give --missing" : "");
    }
  }
  return values;
}

}  // namespace ote::learn
