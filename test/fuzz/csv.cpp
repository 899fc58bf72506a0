// fuzz-link: ote_learn
// The csv reader: whatever the bytes, an error or a table whose buffers fit its extents and whose numbers are finite,
// or missing where they may be, or places of categories. The first byte chooses what is read.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "core/learn/data.h"
#include "core/learn/statistics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  if (size == 0) return 0;
  learn::DataSource source;
  source.label = "y";
  source.task = (data[0] & 1) != 0 ? api::DataTask::kRegression : api::DataTask::kClassification;
  if ((data[0] & 2) != 0) source.ignore = {"id"};
  if ((data[0] & 4) != 0) source.categorical = {"c"};
  if ((data[0] & 8) != 0) source.missing = {"NA", "-9"};
  const auto table = learn::ParseTable(ByteView(data + 1, size - 1), {}, source, "fuzz.csv");
  if (!table) return 0;
  if (table->rows < 1 || table->targets.size() != static_cast<std::size_t>(table->rows) ||
      table->features.size() != static_cast<std::size_t>(table->rows * table->columns) ||
      table->feature_names.size() != static_cast<std::size_t>(table->columns) ||
      table->categories.size() != source.categorical.size()) {
    std::abort();
  }
  for (std::size_t i = 0; i < table->features.size(); ++i) {
    const float value = table->features[i];
    if (std::isnan(value) ? !source.missing.has_value() : !std::isfinite(value)) std::abort();
    const auto found = table->categories.find(static_cast<std::int64_t>(i) % table->columns);
    if (found != table->categories.end() && !(std::isnan(value) || value < static_cast<float>(found->second.size()))) {
      std::abort();
    }
  }
  for (const float target : table->targets) {
    if (source.task == api::DataTask::kClassification && !(target < static_cast<float>(table->class_names.size()))) {
      std::abort();
    }
  }
  // What is told of rows is always something that rows can have.
  if (!learn::CheckStatistics(learn::Summarise(*table))) std::abort();
  return 0;
}
