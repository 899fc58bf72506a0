// Range checks of run files: each names the field as it is spelled in the file.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "core/base/result.h"

namespace ote::api {

// "training.epochs: from 1 to 1000, not 0" under kRunInvalid.
template <class T>
Result<void> CheckRange(std::string_view field, T value, T least, T most) {
  // Written so that NaN fails.
  if (value >= least && value <= most) return {};
  return Fail(ErrorId::kRunInvalid, fmt::format("{}: from {} to {}, not {}", field, least, most, value));
}

// For what is at least zero and stays below `bound`.
inline Result<void> CheckBelow(std::string_view field, double value, double bound) {
  if (value >= 0 && value < bound) return {};
  return Fail(ErrorId::kRunInvalid, fmt::format("{}: from 0 to below {}, not {}", field, bound, value));
}

}  // namespace ote::api
