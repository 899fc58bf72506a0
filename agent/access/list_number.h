// The number of the list of operators that an agent holds, without reading a long list anew with each heartbeat.
#pragma once

#include <optional>

#include "core/api/operator.h"

namespace ote::agent {

class ListNumber {
 public:
  // 0 for none, and for one that does not hold under `authority`.
  std::int64_t Of(const std::optional<api::OperatorList>& list, const crypto::VerifyKey& authority) {
    if (!list) return 0;
    if (list->signature != signature_ || authority != authority_) {
      const auto read = api::CheckOperatorList(*list, authority, 0);
      number_ = read ? read->number : 0;
      signature_ = list->signature;
      authority_ = authority;
    }
    return number_;
  }

 private:
  Bytes signature_;
  crypto::VerifyKey authority_;
  std::int64_t number_ = 0;
};

}  // namespace ote::agent
