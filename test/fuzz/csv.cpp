// fuzz-link: ote_learn
// The csv reader: whatever the bytes, an error or a table whose buffers fit its extents and whose numbers are finite.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "core/learn/data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size == 0) return 0;
  learn::DataSource source;
  source.label = "y";
  source.task = (data[0] & 1) != 0 ? api::DataTask::kRegression : api::DataTask::kClassification;
  if ((data[0] & 2) != 0) source.ignore = {"id"};
  const auto table = learn::ParseTable(ByteView(data + 1, size - 1), {}, source, "fuzz.csv");
  if (!table) return 0;
  if (table->rows < 1 || table->targets.size() != static_cast<std::size_t>(table->rows) ||
      table->features.size() != static_cast<std::size_t>(table->rows * table->columns) ||
      table->feature_names.size() != static_cast<std::size_t>(table->columns)) {
    std::abort();
  }
  for (const float value : table->features) {
    if (!std::isfinite(value)) std::abort();
  }
  for (const float target : table->targets) {
    if (source.task == api::DataTask::kClassification && !(target < static_cast<float>(table->class_names.size()))) {
      std::abort();
    }
  }
  return 0;
}
