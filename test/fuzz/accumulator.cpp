// fuzz-link: ote_federate
//
// The input is a checkpoint. One that is taken must give itself back, and stay exact: what is folded in and what is
// added by a merge may not overflow, whatever the checkpoint held.
#include "core/federate/accumulator.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ote::federate::Accumulator;
  const ote::ByteView input(data, size);
  auto sum = Accumulator::Restore(input);
  if (!sum) return 0;
  const ote::Bytes saved = sum->Save();
  if (saved.size() != size || !std::equal(saved.begin(), saved.end(), data)) std::abort();
  const std::int64_t weight = sum->weight();
  const std::int64_t left = sum->grid().capacity - weight;
  if (left >= 1) {
    const std::vector<float> most(sum->count(), static_cast<float>(ote::federate::kBound));
    if (!sum->Fold(most, left) || sum->weight() != sum->grid().capacity) std::abort();
    if (sum->Fold(most, 1)) std::abort();
  }
  const auto again = Accumulator::Restore(saved);
  if (!again) std::abort();
  Accumulator whole(sum->count(), sum->grid());
  if (!whole.Merge(*again)) std::abort();
  if (weight > 0) {
    std::vector<float> model(sum->count(), 1.0F);
    whole.AddMean(model, model);
  }
  return 0;
}
