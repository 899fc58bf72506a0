// fuzz-link: ote_base
// CBOR from peers: no crash, and what is accepted is written and read back as the same bytes.
#include <cstdint>
#include <cstdlib>

#include "core/base/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto json = ote::ParseCbor({data, size})) {
    const ote::Bytes first = ote::DumpCbor(*json);
    const auto again = ote::ParseCbor(first);
    // Compared as bytes: a NaN is not equal to itself.
    if (!again || ote::DumpCbor(*again) != first) std::abort();
    (void)ote::DumpJson(*json);
    (void)ote::DumpYaml(*json);
  }
  return 0;
}
