// A data set as its site keeps it. Only its DatasetSummary (cluster.h) leaves the site.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/api/prepare.h"
#include "core/api/privacy.h"
#include "core/api/relays.h"
#include "core/base/codec.h"

namespace ote::api {

enum class DataFormat { kCsv, kIdx, kNpy, kLibsvm };
// Clustering passes the labels over.
enum class DataTask { kClassification, kRegression, kClustering };

struct ColumnStats {
  std::string name;
  std::int64_t missing = 0;     // values that are not there
  std::int64_t categories = 0;  // different ones, of a categorical column; it has no measures of numbers
  double mean = 0;
  double stddev = 0;
  double min = 0;
  double max = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("missing", self.missing);
    v("categories", self.categories);
    v("mean", self.mean);
    v("stddev", self.stddev);
    v("min", self.min);
    v("max", self.max);
  }
};

struct Dataset {
  static constexpr std::string_view kKind = "dataset";
  std::string name;
  std::string path;        // absolute
  std::string label_path;  // idx and npy: the file of the labels; "" otherwise
  DataFormat format = DataFormat::kCsv;
  DataTask task = DataTask::kClassification;
  std::string label;                                // name of the label column (csv); "" for formats without
  std::vector<std::string> ignore;                  // csv columns that are neither feature nor label, such as an id
  std::vector<std::string> categorical;             // csv columns that hold names of kinds, and not numbers
  std::optional<std::vector<std::string>> missing;  // spellings of a missing value; absent: none may be missing
  std::int64_t min_rows = 10;                       // with fewer, the site tells no statistics
  FoldPolicy fold = FoldPolicy::kAllow;             // whether relays may read its updates to add them up
  double test_fraction = 0.2;
  BigId split_seed;
  std::int64_t train_rows = 0;
  std::int64_t test_rows = 0;
  std::int64_t classes = 0;
  std::vector<std::string> class_names;  // spelled as in the file, in the order of their indices
  std::vector<ColumnStats> columns;      // of the features
  std::string digest;                    // of the file's bytes when it was registered
  UnixMillis registered_at = 0;
  std::optional<DatasetPrivacy> privacy;  // only in what is shown: the ledger keeps it

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("path", self.path, kRequired);
    v("labelPath", self.label_path);
    v("format", self.format);
    v("task", self.task);
    v("label", self.label);
    v("ignore", self.ignore);
    v("categorical", self.categorical);
    v("missing", self.missing);
    v("minRows", self.min_rows);
    v("fold", self.fold);
    v("testFraction", self.test_fraction);
    v("splitSeed", self.split_seed);
    v("trainRows", self.train_rows);
    v("testRows", self.test_rows);
    v("classes", self.classes);
    v("classNames", self.class_names);
    v("columns", self.columns);
    v("digest", self.digest);
    v("registeredAt", self.registered_at);
    v("privacy", self.privacy);
  }
  DatasetSummary Summary() const;
};

// Of the names of the features, and of which of them, ascending, hold categories. Which categories is not in it.
std::string SchemaDigest(const std::vector<std::string>& names, const std::vector<std::size_t>& categorical);

// Whether a run that prepares its rows so can use the data set: kDataNeedsPrepare with the field of the run file that
// is needed, when values are missing or columns hold categories.
Result<void> CheckPrepared(const DatasetSummary& dataset, const PrepareSpec& prepare);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::DataFormat> {
  using E = ote::api::DataFormat;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kCsv, "csv"}, {E::kIdx, "idx"}, {E::kNpy, "npy"}, {E::kLibsvm, "libsvm"}};
};
template <>
struct ote::EnumNames<ote::api::DataTask> {
  using E = ote::api::DataTask;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kClassification, "classification"}, {E::kRegression, "regression"}, {E::kClustering, "clustering"}};
};
