// fuzz-link: ote_agent_lib
// Lines of the spool of the log: passed over, or a record that can be sent as two lines of a bulk body.
#include <cstdint>
#include <cstdlib>

#include "agent/watch/spool.h"
#include "core/api/watch.h"
#include "core/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  const auto item = agent::ReadSpoolLine(AsText(ByteView(data, size)));
  if (!item) return 0;
  if (item->doc.find('\n') != std::string::npos) std::abort();
  const auto doc = ParseJson(item->doc);
  if (!doc || !doc->is_object()) std::abort();
  if (api::IndexAt("ote-logs-YYYY.MM.DD", item->at).size() != 19) std::abort();
  return 0;
}
