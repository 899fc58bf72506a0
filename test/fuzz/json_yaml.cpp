// fuzz-link: ote_base
// JSON and YAML text from people: no crash, and what is accepted is written and read back as the same value.
#include <cstdint>
#include <cstdlib>

#include "core/base/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = ote::AsText({data, size});
  ote::SourceMap map;
  if (const auto yaml = ote::ParseYaml(text, "f", &map)) {
    const auto again = ote::ParseYaml(ote::DumpYaml(*yaml), "f", nullptr);
    if (!again || *again != *yaml) std::abort();
  }
  if (const auto json = ote::ParseJson(text, "f")) {
    const auto again = ote::ParseJson(ote::DumpJson(*json));
    if (!again || *again != *json) std::abort();
  }
  return 0;
}
