// fuzz-link: ote_learn
// The npy reader: what it accepts has as many numbers as its shape says, and is written and read again to the same.
#include "core/learn/npy.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/learn/formats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  const auto array = learn::ParseNpy(ByteView(data, size), "fuzz");
  if (!array) return 0;
  const learn::TensorInfo tensor{"fuzz", array->shape};
  if (tensor.Count() != static_cast<std::int64_t>(array->values.size())) std::abort();
  const auto again = learn::ParseNpy(learn::WriteNpy(tensor, array->values), "fuzz");
  // By their bits: NaN is not equal to itself.
  if (!again || again->shape != array->shape || again->values.size() != array->values.size() ||
      (!array->values.empty() &&
       std::memcmp(again->values.data(), array->values.data(), 4 * array->values.size()) != 0)) {
    std::abort();
  }
  return 0;
}
