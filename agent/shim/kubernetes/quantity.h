// Quantities as Kubernetes spells them: 100m, 1.5Gi, 2e3, 12E (apimachinery's resource.Quantity).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/codec.h"

namespace ote::kube {

// Thousandths, rounded up as Kubernetes does; kQuantityInvalid for what is none, or is past 64 bits.
Result<std::int64_t> ParseMilli(std::string_view text);
// Whole units, rounded up.
Result<std::int64_t> ParseUnits(std::string_view text);

// Of a value in an object of the API, where a bare number is allowed too; 0 for what is none.
std::int64_t MilliOf(const Json& value);
std::int64_t UnitsOf(const Json& value);

}  // namespace ote::kube
