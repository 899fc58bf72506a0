#include "core/api/dataset.h"

#include "crypto/digest.h"

namespace ote::api {

DatasetSummary Dataset::Summary() const {
  crypto::Hasher hasher;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i != 0) hasher.Update(AsBytes("\n"));
    hasher.Update(AsBytes(columns[i].name));
  }
  DatasetSummary summary;
  summary.name = name;
  summary.train_rows = train_rows;
  summary.test_rows = test_rows;
  summary.features = static_cast<std::int64_t>(columns.size());
  summary.classes = classes;
  summary.class_names = class_names;
  summary.schema = hasher.Finish().ToString();
  return summary;
}

}  // namespace ote::api
