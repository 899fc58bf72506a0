#include "core/site/dataset_registry.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "core/base/ids.h"

namespace ote::site {

bool SameRequest(const api::Dataset& a, const api::Dataset& b) {
  return a.path == b.path && a.label_path == b.label_path && a.format == b.format && a.task == b.task &&
         a.label == b.label && a.ignore == b.ignore && a.categorical == b.categorical && a.missing == b.missing &&
         a.min_rows == b.min_rows && a.fold == b.fold && a.test_fraction == b.test_fraction &&
         a.split_seed == b.split_seed;
}

Result<void> CheckAsked(const api::DataAddRequest& asked) {
  const auto& dataset = asked.dataset;
  if (asked.privacy) OTE_CHECK(api::Validate(*asked.privacy));
  OTE_CHECK(CheckName("data set", dataset.name));
  for (const auto& path : {dataset.path, dataset.label_path}) {
    if (!path.empty() && !std::filesystem::path(path).is_absolute()) {
      return Fail(ErrorId::kMalformed, fmt::format("{}: the agent needs an absolute path", path));
    }
  }
  if (dataset.path.empty()) return Fail(ErrorId::kInputMissingField, "data.add: no path is given");
  if (!(dataset.test_fraction >= 0 && dataset.test_fraction < 1)) {
    return Fail(ErrorId::kUsage, fmt::format("test fraction {}: not from 0 to below 1", dataset.test_fraction));
  }
  if (dataset.min_rows < 1) return Fail(ErrorId::kUsage, fmt::format("min rows {}: less than 1", dataset.min_rows));
  return {};
}

Result<void> CheckPlace(const std::optional<RegisteredFile>& there, const api::DataAddRequest& asked) {
  if (!there || asked.replace || SameRequest(there->dataset, asked.dataset)) return {};
  return Fail(ErrorId::kConflict,
              fmt::format("data set {}: registered already, from {}, with other settings or another file",
                          there->dataset.name, there->dataset.path),
              fmt::format("ote data add {} … --replace", there->dataset.name));
}

bool Unchanged(const std::optional<RegisteredFile>& there, const api::Dataset& asked) {
  if (!there || !SameRequest(there->dataset, asked)) return false;
  const auto stamp = StampOf(asked.path);
  if (!stamp || *stamp != there->stamp) return false;
  if (asked.label_path.empty()) return true;
  const auto label_stamp = StampOf(asked.label_path);
  return label_stamp && *label_stamp == there->label_stamp;
}

Result<RegisteredFile> Register(store::Store& store, const std::optional<RegisteredFile>& there,
                                const api::DataAddRequest& asked, RegisteredFile read, UnixMillis now) {
  // What is in the file was found out; how to read it is as it was asked for.
  auto& dataset = read.dataset;
  dataset.name = asked.dataset.name;
  dataset.path = asked.dataset.path;
  dataset.label_path = asked.dataset.label_path;
  dataset.format = asked.dataset.format;
  dataset.task = asked.dataset.task;
  dataset.label = asked.dataset.label;
  dataset.ignore = asked.dataset.ignore;
  dataset.categorical = asked.dataset.categorical;
  dataset.missing = asked.dataset.missing;
  dataset.min_rows = asked.dataset.min_rows;
  dataset.fold = asked.dataset.fold;
  dataset.test_fraction = asked.dataset.test_fraction;
  dataset.split_seed = asked.dataset.split_seed;
  dataset.registered_at = now;
  if (there) {
    if (SameRequest(there->dataset, dataset) && there->dataset.digest == dataset.digest) {
      // Touched, or another copy: the next look at its stamps need not read it.
      read.dataset = there->dataset;
    } else if (!asked.replace) {
      return Fail(ErrorId::kConflict,
                  fmt::format("data set {}: registered already; {} changed since", dataset.name, dataset.path),
                  fmt::format("ote data add {} … --replace", dataset.name));
    }
  }
  OTE_CHECK(store.Put(read));
  return read;
}

Result<std::vector<api::DatasetSummary>> Summaries(store::Store& store) {
  OTE_TRY(const auto files, store.List<RegisteredFile>());
  std::vector<api::DatasetSummary> all;
  for (const auto& file : files) all.push_back(file.dataset.Summary());
  return all;
}

}  // namespace ote::site
