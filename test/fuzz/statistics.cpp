// fuzz-link: ote_learn
// What sites tell of their rows: whatever the bytes, an error or statistics that rows can have, and from them a plan
// that is one.
#include "core/learn/statistics.h"

#include <cstdint>
#include <cstdlib>

#include "core/learn/prepare.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size < 2) return 0;
  const ByteView rest(data + 2, size - 2);
  const std::size_t cut = rest.size() * data[1] / 255;
  std::vector<api::DataStatistics> sites;
  for (const ByteView part : {rest.first(cut), rest.subspan(cut)}) {
    if (auto site = FromCbor<api::DataStatistics>(part)) sites.push_back(std::move(*site));
  }
  const auto merged = learn::MergeStatistics(sites);
  if (!merged) return 0;
  if (!learn::CheckStatistics(*merged)) std::abort();
  api::PrepareSpec spec;
  spec.standardize = (data[0] & 1) != 0;
  spec.one_hot = (data[0] & 2) != 0;
  spec.missing = static_cast<api::MissingPolicy>((data[0] >> 2) & 3);
  spec.class_weights = static_cast<api::ClassWeights>((data[0] >> 4) & 1);
  const auto plan = learn::PlanPreparation(spec, *merged, {"a", "b"});
  if (plan && !learn::CheckPreparation(*plan)) std::abort();
  return 0;
}
