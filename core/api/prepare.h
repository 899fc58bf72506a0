// What is known of data without its rows, and how columns are brought into a form that models learn from: the
// `prepare` part of a run file, and what it comes to once the sites have told their statistics.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/codec.h"

namespace ote::api {

// Of one column at one site, or of all sites put together.
struct ColumnStatistics {
  std::string name;
  bool categorical = false;  // it has categories, and none of the measures of numbers
  std::int64_t count = 0;    // values that are there
  std::int64_t missing = 0;  // and that are not
  double mean = 0;
  double variance = 0;  // of the population: the mean square distance from the mean
  double min = 0;
  double max = 0;
  std::vector<double> quantiles;                   // at 0, 1/n, …, 1; equally spaced, n a power of two
  std::map<std::string, std::int64_t> categories;  // of a categorical column: how often each stands there

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("categorical", self.categorical);
    v("count", self.count);
    v("missing", self.missing);
    v("mean", self.mean);
    v("variance", self.variance);
    v("min", self.min);
    v("max", self.max);
    v("quantiles", self.quantiles);
    v("categories", self.categories);
  }
  friend bool operator==(const ColumnStatistics&, const ColumnStatistics&) = default;
};

struct DataStatistics {
  std::int64_t rows = 0;
  std::vector<ColumnStatistics> columns;        // in the order of the features
  std::map<std::string, std::int64_t> classes;  // rows of each; none for a regression

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("rows", self.rows);
    v("columns", self.columns);
    v("classes", self.classes);
  }
  friend bool operator==(const DataStatistics&, const DataStatistics&) = default;
};

enum class MissingPolicy { kRefuse, kMean, kMedian, kZero };
enum class ClassWeights { kNone, kBalanced };

struct PrepareSpec {
  bool standardize = false;                          // numbers: mean 0, variance 1 over all sites
  bool one_hot = false;                              // categories: a column for each that any site has
  MissingPolicy missing = MissingPolicy::kRefuse;    // what stands in for a value that is not there
  ClassWeights class_weights = ClassWeights::kNone;  // balanced: rows / (classes * rows of the class)

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("standardize", self.standardize);
    v("oneHot", self.one_hot);
    v("missing", self.missing);
    v("classWeights", self.class_weights);
  }
  // Whether the sites must be asked for statistics first.
  bool Asks() const noexcept {
    return standardize || one_hot || missing != MissingPolicy::kRefuse || class_weights != ClassWeights::kNone;
  }
  friend bool operator==(const PrepareSpec&, const PrepareSpec&) = default;
};

// What is done to one column: what is missing becomes `fill` (without it, it is refused), then x becomes
// (x - shift) * scale; or, with categories, the column becomes one for each of them, 1 where it is the row's and 0
// elsewhere: all 0 for a category that is not among them, and, with a `fill`, for one that is missing.
struct ColumnPreparation {
  std::string name;
  std::optional<double> fill;
  double shift = 0;
  double scale = 1;
  std::vector<std::string> categories;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("fill", self.fill);
    v("shift", self.shift);
    v("scale", self.scale);
    v("categories", self.categories);
  }
  friend bool operator==(const ColumnPreparation&, const ColumnPreparation&) = default;
};

// Travels with tasks and stands in the model file, so that whoever uses the model prepares rows as training did.
struct Preparation {
  std::vector<ColumnPreparation> columns;  // empty: nothing is done
  std::vector<double> class_weights;       // empty: all 1; used in training only

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("columns", self.columns);
    v("classWeights", self.class_weights);
  }
  bool Empty() const noexcept { return columns.empty() && class_weights.empty(); }
  friend bool operator==(const Preparation&, const Preparation&) = default;
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::MissingPolicy> {
  using E = ote::api::MissingPolicy;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kRefuse, "refuse"}, {E::kMean, "mean"}, {E::kMedian, "median"}, {E::kZero, "zero"}};
};
template <>
struct ote::EnumNames<ote::api::ClassWeights> {
  using E = ote::api::ClassWeights;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kNone, "none"}, {E::kBalanced, "balanced"}};
};
