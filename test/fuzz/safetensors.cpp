// fuzz-link: ote_learn
// The model file reader: what it accepts is written again and read again to the same.
#include "core/learn/safetensors.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  const auto view = learn::ReadSafetensors(ByteView(data, size));
  if (!view) return 0;
  const std::vector<float> values = learn::CopyValues(*view);
  if (static_cast<std::int64_t>(values.size()) != learn::TotalCount(view->layout)) std::abort();
  const Bytes written = learn::WriteSafetensors(view->layout, values, view->metadata);
  const auto again = learn::ReadSafetensors(written);
  // The rewritten header may pass 1 MiB where the first one was just below it.
  if (!again) return size < 500'000 ? (std::abort(), 0) : 0;
  const std::vector<float> same = learn::CopyValues(*again);
  if (again->metadata != view->metadata || same.size() != values.size() ||
      (!same.empty() && std::memcmp(same.data(), values.data(), 4 * same.size()) != 0)) {
    std::abort();
  }
  return 0;
}
