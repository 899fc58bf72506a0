#include "core/api/masks.h"

#include <fmt/format.h>

#include "core/api/range.h"

namespace ote::api {

Result<void> Validate(const MasksSpec& spec) {
  OTE_CHECK(CheckBelow("secureAggregation.leaving", spec.leaving, 0.5));
  OTE_CHECK(CheckBelow("secureAggregation.colluding", spec.colluding, 0.5));
  if (2 * spec.leaving + spec.colluding >= 1) {
    return Fail(
        ErrorId::kRunInvalid,
        fmt::format("secureAggregation.leaving: with {} that leave and {} that collude, no list of those that are "
                    "left is sure",
                    spec.leaving, spec.colluding),
        "twice leaving and colluding together must stay below 1");
  }
  return CheckRange("secureAggregation.bound", spec.bound, 1e-9, 1024.0);
}

}  // namespace ote::api
