#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "core/learn/classes.h"
#include "core/learn/statistics.h"

namespace ote::learn {
namespace {

// Of a site, and of all sites together: sums of counts stay far from their end.
constexpr std::int64_t kMostRows = 1LL << 40;
constexpr std::int64_t kMostRowsInAll = 1LL << 50;
constexpr std::int64_t kMostParts = 64;
constexpr double kMostValue = std::numeric_limits<float>::max();

using Counts = std::map<std::string, std::int64_t>;
using Column = api::ColumnStatistics;

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kStatisticsInvalid, fmt::format("statistics: {}", why));
}
tl::unexpected<Error> Invalid(const Column& column, std::string_view why) {
  return Invalid(fmt::format("column \"{}\": {}", column.name, why));
}

bool Adds(const Counts& counts, std::int64_t total) {
  for (const auto& [name, count] : counts) {
    if (count < 0 || count > total) return false;
    total -= count;
  }
  return total == 0;
}

bool Blank(const Column& column) {
  return column.mean == 0 && column.variance == 0 && column.min == 0 && column.max == 0 && column.quantiles.empty();
}

Result<void> CheckNumbers(const Column& column) {
  // Written so that a NaN fails it.
  const auto fits = [](double value) { return std::abs(value) <= kMostValue; };
  if (!fits(column.min) || !fits(column.max) || !fits(column.mean)) {
    return Invalid(column, "a value is not finite as a 32-bit float");
  }
  if (!(column.min <= column.mean && column.mean <= column.max)) {
    return Invalid(column, "its mean is not between its least and its greatest value");
  }
  const double range = column.max - column.min;
  if (!(column.variance >= 0 && column.variance <= range * range / 4)) {
    return Invalid(column, "its variance is not one that its range allows");
  }
  const auto& quantiles = column.quantiles;
  if (quantiles.empty()) return {};
  if (std::ssize(quantiles) != QuantileParts(column.count) + 1) {
    return Invalid(column, fmt::format("{} quantiles of {} values", quantiles.size(), column.count));
  }
  for (std::size_t i = 0; i + 1 < quantiles.size(); ++i) {
    if (!(quantiles[i] <= quantiles[i + 1])) return Invalid(column, "its quantiles do not ascend");
  }
  if (quantiles.front() != column.min || quantiles.back() != column.max) {
    return Invalid(column, "its quantiles do not end at its least and its greatest value");
  }
  return {};
}

Result<void> CheckColumn(const Column& column, std::int64_t rows) {
  if (column.count < 0 || column.missing < 0 || column.count > rows || column.missing != rows - column.count) {
    return Invalid(column, fmt::format("{} values and {} missing in {} rows", column.count, column.missing, rows));
  }
  if (column.categorical || column.count == 0) {
    if (!Blank(column)) return Invalid(column, "measures of numbers without numbers");
    if (!column.categories.empty() && !Adds(column.categories, column.count))
      return Invalid(column, "its categories are not as many as its values");
    if (column.categories.size() > kMaxCategories) {
      return Invalid(column, fmt::format("{} categories", column.categories.size()));
    }
    for (const auto& [name, count] : column.categories) {
      if (name.size() > kMaxCategoryBytes) return Invalid(column, "a category is longer than 256 bytes");
    }
    return {};
  }
  if (!column.categories.empty()) return Invalid(column, "categories of a column of numbers");
  return CheckNumbers(column);
}

// Whether the two are of the same columns.
Result<void> CheckSame(const api::DataStatistics& a, const api::DataStatistics& b) {
  if (a.columns.size() != b.columns.size()) {
    return Invalid(fmt::format("{} columns at one site and {} at another", a.columns.size(), b.columns.size()));
  }
  for (std::size_t i = 0; i < a.columns.size(); ++i) {
    const auto& one = a.columns[i];
    const auto& other = b.columns[i];
    if (one.name != other.name) {
      return Invalid(fmt::format("column {} is \"{}\" at one site and \"{}\" at another", i + 1, one.name, other.name));
    }
    if (one.categorical != other.categorical) return Invalid(one, "numbers at one site and categories at another");
  }
  return {};
}

// A point of a site's quantiles, and the rows that it stands for, in units of 1/(4 * kMostParts) rows.
struct Point {
  double value = 0;
  std::int64_t weight = 0;
  friend auto operator<=>(const Point&, const Point&) = default;
};

// Each site's rows stand in equal parts at its inner quantiles, and half of a part at either end. The quantile at a
// rank is looked up between the middles of the points around it.
std::vector<double> MergeQuantiles(const std::vector<const Column*>& sites, const Column& merged) {
  constexpr std::int64_t kUnits = 4 * kMostParts;
  std::vector<Point> points;
  for (const Column* site : sites) {
    const auto last = site->quantiles.size() - 1;
    const std::int64_t part = site->count * (kUnits / static_cast<std::int64_t>(last));
    for (std::size_t i = 0; i <= last; ++i) {
      points.push_back({site->quantiles[i], i == 0 || i == last ? part / 2 : part});
    }
  }
  std::sort(points.begin(), points.end());
  const std::int64_t parts = QuantileParts(merged.count);
  std::vector<double> out = {merged.min};
  std::size_t at = 0;
  std::int64_t middle = points[0].weight / 2;  // of the point `at`
  for (std::int64_t k = 1; k < parts; ++k) {
    const std::int64_t wanted = merged.count * (kUnits / parts) * k;
    while (at + 1 < points.size()) {
      const std::int64_t next = middle + points[at].weight / 2 + points[at + 1].weight / 2;
      if (next > wanted) break;
      middle = next;
      ++at;
    }
    double value = points[at].value;
    if (wanted > middle && at + 1 < points.size()) {
      const std::int64_t gap = points[at].weight / 2 + points[at + 1].weight / 2;
      const double share = static_cast<double>(wanted - middle) / static_cast<double>(gap);
      value = std::clamp(value + (points[at + 1].value - value) * share, value, points[at + 1].value);
    }
    out.push_back(std::max(value, out.back()));
  }
  out.push_back(merged.max);
  return out;
}

void MergeNumbers(std::vector<const Column*> sites, Column& out) {
  std::erase_if(sites, [](const Column* site) { return site->count == 0; });
  if (sites.empty()) return;
  // Rounding depends on the order, so it is one that the values themselves give.
  const auto key = [](const Column* site) { return std::tie(site->count, site->mean, site->variance); };
  std::sort(sites.begin(), sites.end(), [&key](const Column* a, const Column* b) { return key(a) < key(b); });
  out.min = sites.front()->min;
  out.max = sites.front()->max;
  double squares = 0;
  double before = 0;
  for (const Column* site : sites) {
    const auto count = static_cast<double>(site->count);
    const double off = site->mean - out.mean;
    const double both = before + count;
    squares += site->variance * count + off * off * (before / both) * count;
    out.mean += off * (count / both);
    before = both;
    out.min = std::min(out.min, site->min);
    out.max = std::max(out.max, site->max);
  }
  out.mean = std::clamp(out.mean, out.min, out.max);
  const double range = out.max - out.min;
  out.variance = std::clamp(squares / before, 0.0, range * range / 4);
  const bool told =
      std::none_of(sites.begin(), sites.end(), [](const Column* site) { return site->quantiles.empty(); });
  if (told) out.quantiles = MergeQuantiles(sites, out);
}

void Add(const Counts& counts, Counts& out) {
  for (const auto& [name, count] : counts) out[name] += count;
}

}  // namespace

Result<void> CheckStatistics(const api::DataStatistics& statistics) {
  if (statistics.rows < 0 || statistics.rows > kMostRows) return Invalid(fmt::format("{} rows", statistics.rows));
  if (!statistics.classes.empty() && !Adds(statistics.classes, statistics.rows)) {
    return Invalid("the rows of its classes are not all rows");
  }
  if (statistics.classes.size() > kMaxClasses) return Invalid(fmt::format("{} classes", statistics.classes.size()));
  for (const Column& column : statistics.columns) OTE_CHECK(CheckColumn(column, statistics.rows));
  return {};
}

Result<api::DataStatistics> MergeStatistics(std::span<const api::DataStatistics> sites) {
  if (sites.empty()) return Invalid("no site has told any");
  api::DataStatistics out;
  for (const auto& site : sites) {
    OTE_CHECK(CheckStatistics(site));
    OTE_CHECK(CheckSame(sites.front(), site));
    out.rows += site.rows;
    if (out.rows > kMostRowsInAll) return Invalid("more rows in all than there can be");
    Add(site.classes, out.classes);
    if (out.classes.size() > kMaxClasses) return Invalid("more classes in all than there can be");
  }
  for (std::size_t i = 0; i < sites.front().columns.size(); ++i) {
    Column column;
    column.name = sites.front().columns[i].name;
    column.categorical = sites.front().columns[i].categorical;
    std::vector<const Column*> parts;
    for (const auto& site : sites) {
      const Column& part = site.columns[i];
      column.count += part.count;
      column.missing += part.missing;
      Add(part.categories, column.categories);
      if (column.categories.size() > kMaxCategories) {
        return Fail(
            ErrorId::kTooManyCategories,
            fmt::format("column \"{}\": more than {} categories at all sites together", column.name, kMaxCategories));
      }
      parts.push_back(&part);
    }
    if (!column.categorical) MergeNumbers(std::move(parts), column);
    out.columns.push_back(std::move(column));
  }
  return out;
}

}  // namespace ote::learn
