#include "core/learn/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace ote::learn {
namespace {

// Columns that are gathered in one pass over the rows: a row is read a cache line at a time.
constexpr std::int64_t kBlock = 16;
// A message's header takes 1 MiB (wire/envelope.h); the rest is for what stands around the statistics.
constexpr std::size_t kMostBytes = 1000 * 1024;

// What the quantile at k of n parts is in the sorted `values`.
double QuantileOf(const std::vector<float>& values, std::int64_t k, std::int64_t parts) {
  const auto last = static_cast<std::int64_t>(values.size()) - 1;
  // The place is last * k / parts: its whole part, and what is left in parts.
  const std::int64_t place = last / parts * k + last % parts * k / parts;
  const auto rest = static_cast<double>(last % parts * k % parts) / static_cast<double>(parts);
  const auto below = static_cast<double>(values[static_cast<std::size_t>(place)]);
  if (rest == 0) return below;
  const auto above = static_cast<double>(values[static_cast<std::size_t>(place) + 1]);
  return std::clamp(below + (above - below) * rest, below, above);
}

// `values` are sorted here, so that the sums do not depend on the order of the rows.
void Measure(std::vector<float>& values, api::ColumnStatistics& out) {
  out.count = static_cast<std::int64_t>(values.size());
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  // A negative zero would make two orders of the same rows differ.
  out.min = static_cast<double>(values.front()) + 0.0;
  out.max = static_cast<double>(values.back()) + 0.0;
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value);
  const double mean = sum / count;
  // What the mean was rounded off by is taken out again (Chan, Golub and LeVeque 1983).
  double squares = 0;
  double rest = 0;
  for (const float value : values) {
    const double off = static_cast<double>(value) - mean;
    squares += off * off;
    rest += off;
  }
  out.mean = std::clamp(mean, out.min, out.max);
  const double range = out.max - out.min;
  out.variance = std::clamp((squares - rest * rest / count) / count, 0.0, range * range / 4);
  const std::int64_t parts = QuantileParts(out.count);
  for (std::int64_t k = 0; k <= parts; ++k) out.quantiles.push_back(QuantileOf(values, k, parts) + 0.0);
}

using Tables = std::vector<const Table*>;

void CountCategories(const Tables& tables, std::int64_t column, const std::vector<std::string>& names,
                     api::ColumnStatistics& out) {
  std::vector<std::int64_t> counts(names.size());
  for (const Table* rows : tables) {
    for (std::int64_t row = 0; row < rows->rows; ++row) {
      const float value = rows->Row(row)[static_cast<std::size_t>(column)];
      if (std::isnan(value)) continue;
      ++counts[static_cast<std::size_t>(value)];
      ++out.count;
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (counts[i] > 0) out.categories[names[i]] = counts[i];
  }
}

api::DataStatistics SummariseAll(const Tables& tables) {
  const Table& first = *tables.front();
  api::DataStatistics out;
  for (const Table* rows : tables) out.rows += rows->rows;
  out.columns.resize(static_cast<std::size_t>(first.columns));
  std::vector<std::vector<float>> block(static_cast<std::size_t>(kBlock));
  for (std::int64_t begin = 0; begin < first.columns; begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, first.columns);
    for (auto& values : block) values.clear();
    for (const Table* rows : tables) {
      for (std::int64_t row = 0; row < rows->rows; ++row) {
        const std::span<const float> features = rows->Row(row);
        for (std::int64_t c = begin; c < end; ++c) {
          const float value = features[static_cast<std::size_t>(c)];
          if (!std::isnan(value)) block[static_cast<std::size_t>(c - begin)].push_back(value);
        }
      }
    }
    for (std::int64_t c = begin; c < end; ++c) {
      auto& column = out.columns[static_cast<std::size_t>(c)];
      column.name = first.feature_names[static_cast<std::size_t>(c)];
      if (const auto found = first.categories.find(c); found != first.categories.end()) {
        column.categorical = true;
        CountCategories(tables, c, found->second, column);
      } else {
        Measure(block[static_cast<std::size_t>(c - begin)], column);
      }
      column.missing = out.rows - column.count;
    }
  }
  if (first.class_names.empty()) return out;
  for (const Table* rows : tables) {
    for (const float target : rows->targets) ++out.classes[first.class_names[static_cast<std::size_t>(target)]];
  }
  return out;
}

std::size_t SizeOf(const api::DataStatistics& statistics) { return DumpCbor(ToJson(statistics)).size(); }

}  // namespace

std::int64_t QuantileParts(std::int64_t count) noexcept {
  const auto parts = std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(count / 4, 2)));
  return static_cast<std::int64_t>(std::min<std::uint64_t>(parts, 64));
}

api::DataStatistics Summarise(const Table& rows) { return SummariseAll({&rows}); }

api::DataStatistics Summarise(const Table& rows, const Table& more) { return SummariseAll({&rows, &more}); }

Result<void> FitInMessage(api::DataStatistics& statistics) {
  if (SizeOf(statistics) <= kMostBytes) return {};
  for (auto& column : statistics.columns) column.quantiles.clear();
  if (SizeOf(statistics) <= kMostBytes) return {};
  return Fail(ErrorId::kUnsupported,
              fmt::format("statistics of {} columns do not fit in a message", statistics.columns.size()));
}

Result<api::DataStatistics> Survey(const Table& rows, const api::PrepareSpec& purpose) {
  auto statistics = Summarise(rows);
  if (purpose.class_weights == api::ClassWeights::kNone) statistics.classes.clear();
  for (auto& column : statistics.columns) {
    if (purpose.missing != api::MissingPolicy::kMedian) column.quantiles.clear();
    if (!purpose.one_hot) column.categories.clear();
  }
  if (SizeOf(statistics) > kMostBytes) {
    return Fail(ErrorId::kUnsupported,
                fmt::format("statistics of {} columns do not fit in a message{}", statistics.columns.size(),
                            purpose.missing == api::MissingPolicy::kMedian ? "; those for a mean may" : ""));
  }
  return statistics;
}

}  // namespace ote::learn
