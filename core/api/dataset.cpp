#include "core/api/dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/digest.h"

namespace ote::api {

DatasetSummary Dataset::Summary() const {
  crypto::Hasher hasher;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i != 0) hasher.Update(AsBytes("\n"));
    hasher.Update(AsBytes(columns[i].name));
  }
  DatasetSummary summary;
  // Categorical columns are other columns than those of numbers; which categories they have is not told.
  bool first = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].missing > 0) summary.missing = true;
    if (std::find(categorical.begin(), categorical.end(), columns[i].name) == categorical.end()) continue;
    hasher.Update(AsBytes((first ? "\n\ncategorical " : " ") + std::to_string(i)));
    first = false;
    ++summary.categorical;
  }
  summary.name = name;
  summary.train_rows = train_rows;
  summary.test_rows = test_rows;
  summary.features = static_cast<std::int64_t>(columns.size());
  summary.classes = classes;
  summary.class_names = class_names;
  summary.schema = hasher.Finish().ToString();
  return summary;
}

Result<void> CheckPrepared(const DatasetSummary& dataset, const PrepareSpec& prepare) {
  if (dataset.categorical > 0 && !prepare.one_hot) {
    return Fail(ErrorId::kDataNeedsPrepare,
                fmt::format("data set {}: columns of categories: {}", dataset.name, dataset.categorical),
                "set prepare.oneHot to true in the run file");
  }
  if (dataset.missing && prepare.missing == MissingPolicy::kRefuse) {
    return Fail(ErrorId::kDataNeedsPrepare, fmt::format("data set {}: it has values that are missing", dataset.name),
                "set prepare.missing to mean, median or zero in the run file");
  }
  return {};
}

}  // namespace ote::api
