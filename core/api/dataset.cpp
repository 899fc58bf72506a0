#include "core/api/dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/digest.h"

namespace ote::api {

std::string SchemaDigest(const std::vector<std::string>& names, const std::vector<std::size_t>& categorical) {
  crypto::Hasher hasher;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) hasher.Update(AsBytes("\n"));
    hasher.Update(AsBytes(names[i]));
  }
  for (std::size_t i = 0; i < categorical.size(); ++i) {
    hasher.Update(AsBytes(fmt::format("{}{}", i == 0 ? "\n\ncategorical " : " ", categorical[i])));
  }
  return hasher.Finish().ToString();
}

DatasetSummary Dataset::Summary() const {
  DatasetSummary summary;
  std::vector<std::string> names;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    names.push_back(columns[i].name);
    if (columns[i].missing > 0) summary.missing = true;
    const bool holds = std::find(categorical.begin(), categorical.end(), columns[i].name) != categorical.end();
    if (holds) places.push_back(i);
  }
  summary.name = name;
  summary.train_rows = train_rows;
  summary.test_rows = test_rows;
  summary.features = static_cast<std::int64_t>(columns.size());
  summary.classes = classes;
  summary.class_names = class_names;
  summary.schema = SchemaDigest(names, places);
  summary.categorical = static_cast<std::int64_t>(places.size());
  summary.fold = fold;
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
