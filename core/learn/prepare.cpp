#include "core/learn/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/learn/statistics.h"

namespace ote::learn {
namespace {

constexpr std::string_view kHowMissing = "set prepare.missing to mean, median or zero in the run file";
constexpr std::string_view kHowCategories = "set prepare.oneHot to true in the run file";
// Of all columns that a preparation makes, and of the values in them.
constexpr std::int64_t kMostColumns = 1'000'000;
constexpr std::int64_t kMostValues = 1LL << 31;
constexpr std::size_t kNoCategory = static_cast<std::size_t>(-1);

tl::unexpected<Error> Needs(std::string_view column, std::string_view why, std::string_view how) {
  return Fail(ErrorId::kDataNeedsPrepare, fmt::format("column \"{}\": {}", column, why), std::string(how));
}

Result<double> FillOf(api::MissingPolicy policy, const api::ColumnStatistics& column) {
  if (column.count == 0 || policy == api::MissingPolicy::kZero) return 0.0;
  if (policy == api::MissingPolicy::kMean) return column.mean;
  if (column.quantiles.empty()) {
    return Fail(ErrorId::kStatisticsInvalid, fmt::format("column \"{}\": a site told no quantiles", column.name));
  }
  return column.quantiles[(column.quantiles.size() - 1) / 2];
}

Result<api::ColumnPreparation> PlanColumn(const api::PrepareSpec& spec, const api::ColumnStatistics& column) {
  api::ColumnPreparation plan;
  plan.name = column.name;
  const bool fills = spec.missing != api::MissingPolicy::kRefuse;
  if (!fills && column.missing > 0) {
    return Needs(column.name, fmt::format("{} of {} values are missing", column.missing, column.missing + column.count),
                 kHowMissing);
  }
  if (column.categorical) {
    if (!spec.one_hot) return Needs(column.name, "it holds categories", kHowCategories);
    if (column.categories.empty()) {
      return Needs(column.name, "no site has a value in it", "register the data with --ignore for this column");
    }
    for (const auto& [name, count] : column.categories) plan.categories.push_back(name);
    if (fills) plan.fill = 0;
    return plan;
  }
  if (fills) {
    OTE_TRY(plan.fill, FillOf(spec.missing, column));
  }
  if (spec.standardize) {
    plan.shift = column.mean;
    if (column.variance > 0) plan.scale = 1 / std::sqrt(column.variance);
  }
  return plan;
}

std::vector<double> BalancedWeights(const api::DataStatistics& merged, const std::vector<std::string>& classes) {
  std::vector<double> weights;
  for (const std::string& name : classes) {
    const auto found = merged.classes.find(name);
    const auto rows = found == merged.classes.end() ? 0.0 : static_cast<double>(found->second);
    weights.push_back(rows == 0 ? 1 : static_cast<double>(merged.rows) / (static_cast<double>(classes.size()) * rows));
  }
  return weights;
}

// Brings the rows from one form to the other.
class Preparer {
 public:
  Preparer(const Table& rows, const api::Preparation& preparation) : rows_(rows), columns_(preparation.columns) {}

  Result<std::vector<float>> Features(std::int64_t width) {
    OTE_CHECK(CheckColumns());
    std::vector<float> out(static_cast<std::size_t>(rows_.rows * width));
    float* to = out.data();
    for (std::int64_t row = 0; row < rows_.rows; ++row) {
      const std::span<const float> features = rows_.Row(row);
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        OTE_CHECK(Write(row, c, features[c], to));
        to += std::max<std::size_t>(columns_[c].categories.size(), 1);
      }
    }
    return out;
  }

 private:
  Result<void> CheckColumns() {
    if (std::cmp_not_equal(columns_.size(), rows_.columns)) {
      return Fail(ErrorId::kModelDataMismatch,
                  fmt::format("the rows have {} columns, and {} were prepared for", rows_.columns, columns_.size()));
    }
    places_.resize(columns_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const auto& column = columns_[c];
      const std::string& name = rows_.feature_names[c];
      if (name != column.name) {
        return Fail(ErrorId::kModelDataMismatch,
                    fmt::format("column {} is \"{}\", and \"{}\" was prepared for", c + 1, name, column.name));
      }
      const auto found = rows_.categories.find(static_cast<std::int64_t>(c));
      if ((found != rows_.categories.end()) != !column.categories.empty()) {
        return Fail(ErrorId::kModelDataMismatch,
                    fmt::format("column \"{}\": {}", name,
                                column.categories.empty() ? "it holds categories, and was prepared for as numbers"
                                                          : "it holds numbers, and was prepared for as categories"),
                    column.categories.empty() ? "" : fmt::format("read it with --categorical {}", name));
      }
      if (found == rows_.categories.end()) continue;
      for (const std::string& category : found->second) {
        const auto at = std::lower_bound(column.categories.begin(), column.categories.end(), category);
        const bool known = at != column.categories.end() && *at == category;
        places_[c].push_back(known ? static_cast<std::size_t>(at - column.categories.begin()) : kNoCategory);
      }
    }
    return {};
  }

  Result<void> Write(std::int64_t row, std::size_t c, float value, float* to) const {
    const auto& column = columns_[c];
    const bool missing = std::isnan(value);
    if (missing && !column.fill) {
      return Needs(column.name, fmt::format("row {}: the value is missing", rows_.PlaceOf(row)), kHowMissing);
    }
    if (!column.categories.empty()) {
      // Zeros already, which a category that is missing or not known stays.
      if (missing) return {};
      if (const auto place = places_[c][static_cast<std::size_t>(value)]; place != kNoCategory) to[place] = 1;
      return {};
    }
    const double given = missing ? *column.fill : static_cast<double>(value);
    *to = static_cast<float>((given - column.shift) * column.scale);
    if (!std::isfinite(*to)) {
      return Fail(ErrorId::kDataBadRow,
                  fmt::format("column \"{}\": row {}: out of the range of a 32-bit float once it is scaled",
                              column.name, rows_.PlaceOf(row)));
    }
    return {};
  }

  const Table& rows_;
  const std::vector<api::ColumnPreparation>& columns_;
  std::vector<std::vector<std::size_t>> places_;  // where each category of a column goes
};

Result<void> CheckReady(const Table& rows) {
  if (!rows.categories.empty()) {
    const auto column = static_cast<std::size_t>(rows.categories.begin()->first);
    return Needs(rows.feature_names[column], "it holds categories", kHowCategories);
  }
  const auto bad = std::find_if(rows.features.begin(), rows.features.end(), [](float v) { return std::isnan(v); });
  if (bad == rows.features.end()) return {};
  const auto at = bad - rows.features.begin();
  return Needs(rows.feature_names[static_cast<std::size_t>(at % rows.columns)],
               fmt::format("row {}: the value is missing", rows.PlaceOf(at / rows.columns)), kHowMissing);
}

}  // namespace

Result<api::Preparation> PlanPreparation(const api::PrepareSpec& spec, const api::DataStatistics& merged,
                                         const std::vector<std::string>& classes) {
  api::Preparation plan;
  const bool touches = spec.standardize || spec.one_hot || spec.missing != api::MissingPolicy::kRefuse;
  for (const auto& column : merged.columns) {
    OTE_TRY(auto prepared, PlanColumn(spec, column));
    if (touches) plan.columns.push_back(std::move(prepared));
  }
  if (spec.class_weights == api::ClassWeights::kBalanced) plan.class_weights = BalancedWeights(merged, classes);
  OTE_CHECK(CheckPreparation(plan));
  return plan;
}

Result<void> Prepare(Table& rows, const api::Preparation& preparation) {
  if (preparation.columns.empty()) return CheckReady(rows);
  OTE_CHECK(CheckPreparation(preparation));
  const std::int64_t width = PreparedColumns(preparation, rows.columns);
  if (rows.rows > kMostValues / width) {
    return Fail(ErrorId::kUnsupported,
                fmt::format("{} rows of {} columns, once they are prepared, take more memory than "
                            "the {} values that fit",
                            rows.rows, width, kMostValues));
  }
  OTE_TRY(rows.features, Preparer(rows, preparation).Features(width));
  rows.feature_names = PreparedNames(preparation, rows.feature_names);
  rows.columns = width;
  rows.categories.clear();
  return {};
}

Result<void> CheckPreparation(const api::Preparation& preparation) {
  const auto refuse = [](std::string_view why) {
    return Fail(ErrorId::kRunInvalid, fmt::format("preparation: {}", why));
  };
  for (const auto& column : preparation.columns) {
    if (!std::isfinite(column.fill.value_or(0)) || !std::isfinite(column.shift) || !std::isfinite(column.scale)) {
      return refuse(fmt::format("column \"{}\": a number is not finite", column.name));
    }
    const auto& names = column.categories;
    if (names.size() > kMaxCategories) return refuse(fmt::format("column \"{}\": too many categories", column.name));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].size() > kMaxCategoryBytes || (i > 0 && names[i] <= names[i - 1])) {
        return refuse(fmt::format("column \"{}\": categories that are too long, or not sorted", column.name));
      }
    }
  }
  if (PreparedColumns(preparation, 0) > kMostColumns) {
    return refuse(fmt::format("it makes more than {} columns", kMostColumns));
  }
  const bool weighs = std::all_of(preparation.class_weights.begin(), preparation.class_weights.end(),
                                  [](double weight) { return std::isfinite(weight) && weight >= 0; });
  return weighs ? Result<void>() : refuse("a class weight is negative or not finite");
}

std::int64_t PreparedColumns(const api::Preparation& preparation, std::int64_t raw) noexcept {
  if (preparation.columns.empty()) return raw;
  std::int64_t count = 0;
  for (const auto& column : preparation.columns) {
    count += static_cast<std::int64_t>(std::max<std::size_t>(column.categories.size(), 1));
  }
  return count;
}

std::vector<std::string> PreparedNames(const api::Preparation& preparation, const std::vector<std::string>& raw) {
  if (preparation.columns.empty()) return raw;
  std::vector<std::string> names;
  for (const auto& column : preparation.columns) {
    if (column.categories.empty()) names.push_back(column.name);
    for (const std::string& category : column.categories) names.push_back(column.name + "=" + category);
  }
  return names;
}

}  // namespace ote::learn
