// fuzz-link: ote_agent_lib
// Answers of a bulk API: refused, or a verdict on each item, with a reason that may stand in a log.
#include "agent/watch/bulk_answer.h"

#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size < 1) return 0;
  const std::size_t sent = data[0] % 8;
  const auto verdict = agent::ReadBulkAnswer(AsText(ByteView(data + 1, size - 1)), sent);
  if (!verdict) {
    if (verdict.error().id != ErrorId::kShipperFailed) std::abort();
    return 0;
  }
  if (verdict->items.size() != sent) std::abort();
  for (const char c : verdict->reason) {
    if (c < 0x20 || c > 0x7e) std::abort();
  }
  return 0;
}
