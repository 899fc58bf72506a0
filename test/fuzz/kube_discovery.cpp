// fuzz-link: ote_agent_lib
// Discovery documents and errors of the API: no crash, and no path that leaves its place.
#include <cstdint>
#include <cstdlib>

#include "agent/shim/kubernetes/discovery.h"
#include "agent/shim/kubernetes/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = ote::kube::ParseAnswer(ote::AsText({data, size}));
  if (!json) return 0;
  for (const auto& kinds : {ote::kube::ParseAggregated(*json), ote::kube::ParseResourceList(*json)}) {
    if (!kinds) continue;
    for (const auto& kind : *kinds) {
      const auto path = kind.Path("a", "b");
      if (path.find("//") != path.npos || path.find("?") != path.npos) std::abort();
    }
  }
  (void)ote::kube::ParseGroupVersions(*json);
  (void)ote::kube::StatusError(409, *json, "x");
  return 0;
}
