// fuzz-link: ote_site
// What a trainer leaves: whatever it is, it is refused, or it is weights of the model's shape and a finite loss.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "core/site/trainers/output.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size < 1) return 0;
  const ByteView rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    const auto metrics = site::ParseTrainerMetrics(AsText(rest));
    if (metrics && !(std::isfinite(metrics->loss) && metrics->steps.value_or(1) > 0)) std::abort();
    return 0;
  }
  const learn::Layout layout = {{"layers.0.weight", {2, 3}}, {"layers.0.bias", {2}}};
  std::vector<float> parameters(8, 1.0f);
  if (!site::TakeWeights(rest, layout, parameters)) return 0;
  for (const float value : parameters) {
    if (!std::isfinite(value)) std::abort();
  }
  return 0;
}
