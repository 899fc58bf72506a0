// What changes in an object, as a unified diff of its YAML. Pure.
#pragma once

#include <string>

#include "core/base/codec.h"

namespace ote::kube {

// Lines with three around each change; "" when the texts are the same.
std::string UnifiedDiff(const std::string& before, const std::string& after, const std::string& from,
                        const std::string& to);
// Without what the server counts for itself, and with the values of Secrets hidden: a change of one shows as such.
// Null stands for an object that is not there.
std::string DiffObjects(const std::string& what, const Json& before, const Json& after);

}  // namespace ote::kube
