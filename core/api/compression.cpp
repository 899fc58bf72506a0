#include "core/api/compression.h"

#include <fmt/format.h>

namespace ote::api {
namespace {

// Of more, the places of the values take what is saved.
constexpr double kLargestFraction = 0.5;

}  // namespace

Result<void> Validate(const CompressionSpec& spec) {
  if (spec.bits != 4 && spec.bits != 8) {
    return Fail(ErrorId::kRunInvalid, fmt::format("compression.bits: 4 or 8, not {}", spec.bits));
  }
  // Written so that NaN fails.
  if (!(spec.fraction > 0 && spec.fraction <= kLargestFraction)) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("compression.fraction: above 0 and at most {}, not {}", kLargestFraction, spec.fraction));
  }
  return {};
}

}  // namespace ote::api
