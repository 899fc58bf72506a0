// fuzz-link: ote_learn
// idx, npy and libsvm, plain or compressed. The first byte chooses format and task; the second the length of the
// labels.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/learn/data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size < 2) return 0;
  constexpr api::DataFormat kFormats[] = {api::DataFormat::kIdx, api::DataFormat::kNpy, api::DataFormat::kLibsvm};
  learn::DataSource source;
  source.format = kFormats[data[0] % 3];
  source.task = (data[0] & 0x80) != 0 ? api::DataTask::kRegression : api::DataTask::kClassification;
  const ByteView rest(data + 2, size - 2);
  const std::size_t labels = std::min<std::size_t>(data[1], rest.size());
  const auto table = learn::ParseTable(rest.subspan(labels), rest.first(labels), source, "fuzz");
  if (table && (table->rows < 1 || table->columns < 1 ||
                table->features.size() != static_cast<std::size_t>(table->rows * table->columns) ||
                table->targets.size() != static_cast<std::size_t>(table->rows))) {
    std::abort();
  }
  return 0;
}
