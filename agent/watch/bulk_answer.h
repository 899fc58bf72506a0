// What Elasticsearch's bulk API answers, item by item (docs-bulk of its reference), as far as it is needed to know what
// to send again. Foreign bytes: fuzzed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace ote::agent {

enum class ItemVerdict {
  kTaken,    // stored now, or before under the same id
  kAgain,    // too many at once, or a failure of the other side
  kRefused,  // it will never take this one
};
struct BulkVerdict {
  std::vector<ItemVerdict> items;
  std::string reason;  // of the first that was not taken, printable; "" when all were
};

// kShipperFailed unless it is the answer to `sent` items.
Result<BulkVerdict> ReadBulkAnswer(std::string_view body, std::size_t sent);

}  // namespace ote::agent
