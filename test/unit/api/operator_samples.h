// Operators for tests.
#pragma once

#include <string>

#include "core/api/operator.h"

namespace ote::test {

inline api::Operator Named(const std::string& name, std::uint8_t key,
                           api::OperatorRole role = api::OperatorRole::kViewer, const std::string& scope = {}) {
  api::Operator made;
  made.name = name;
  made.role = role;
  made.scope = scope;
  made.transport_key = Bytes(32, key);
  made.expires_at = 4'000'000'000'000;
  return made;
}

}  // namespace ote::test
