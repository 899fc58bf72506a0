#include "core/api/masks.h"

#include "core/api/range.h"

namespace ote::api {

Result<void> Validate(const MasksSpec& spec) {
  OTE_CHECK(CheckBelow("secureAggregation.leaving", spec.leaving, 0.5));
  OTE_CHECK(CheckBelow("secureAggregation.colluding", spec.colluding, 0.5));
  return CheckRange("secureAggregation.bound", spec.bound, 1e-9, 1024.0);
}

}  // namespace ote::api
