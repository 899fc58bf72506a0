// fuzz-link: ote_agent_lib
// Quantities: no crash, and thousandths and units agree wherever both fit.
#include <cstdint>
#include <cstdlib>

#include "agent/shim/kubernetes/quantity.h"
#include "core/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = ote::AsText({data, size});
  const auto units = ote::kube::ParseUnits(text);
  const auto milli = ote::kube::ParseMilli(text);
  if (milli && !units) std::abort();
  if (milli && *milli >= 0 && *units != (*milli / 1000) + (*milli % 1000 != 0 ? 1 : 0)) std::abort();
  return 0;
}
