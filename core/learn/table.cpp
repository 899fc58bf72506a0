#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/learn/data.h"
#include "core/learn/random.h"

namespace ote::learn {
namespace {

// A stream of its own for the split, so that the same seed elsewhere draws other numbers.
constexpr std::uint64_t kSplitStream = 0x73706c6974;

}  // namespace

std::span<const float> Table::Row(std::int64_t i) const noexcept {
  return std::span(features).subspan(static_cast<std::size_t>(i * columns), static_cast<std::size_t>(columns));
}

Table Take(const Table& table, std::span<const std::int64_t> rows) {
  Table part;
  part.rows = static_cast<std::int64_t>(rows.size());
  part.columns = table.columns;
  part.feature_names = table.feature_names;
  part.class_names = table.class_names;
  part.features.reserve(rows.size() * static_cast<std::size_t>(table.columns));
  part.targets.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const std::span<const float> values = table.Row(row);
    part.features.insert(part.features.end(), values.begin(), values.end());
    part.targets.push_back(table.targets[static_cast<std::size_t>(row)]);
  }
  return part;
}

Result<SplitNumbers> SplitRows(std::int64_t rows, double test_fraction, std::uint64_t seed) {
  if (!(test_fraction >= 0 && test_fraction < 1)) {
    return Fail(ErrorId::kUsage, fmt::format("test fraction {}: not from 0 to below 1", test_fraction));
  }
  SplitNumbers split;
  auto& [train, test] = split;
  if (test_fraction == 0) {
    train.resize(static_cast<std::size_t>(rows));
    std::iota(train.begin(), train.end(), 0);
    return split;
  }
  if (rows < 2) {
    return Fail(ErrorId::kDataTooSmall, fmt::format("{} rows: a training and a test part need two at least", rows));
  }
  const std::uint64_t key = DeriveSeed(seed, kSplitStream);
  const auto bound = static_cast<std::uint64_t>(std::ldexp(test_fraction, 53)) << 11;
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
  std::uint64_t lowest_hash = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t highest_hash = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::uint64_t hash = DeriveSeed(key, static_cast<std::uint64_t>(row));
    (hash < bound ? test : train).push_back(row);
    if (hash < lowest_hash) {
      lowest_hash = hash;
      lowest = row;
    }
    if (hash >= highest_hash) {
      highest_hash = hash;
      highest = row;
    }
  }
  if (test.empty()) {
    test.push_back(lowest);
    std::erase(train, lowest);
  } else if (train.empty()) {
    train.push_back(highest);
    std::erase(test, highest);
  }
  return split;
}

Result<Split> SplitTable(const Table& table, double test_fraction, std::uint64_t seed) {
  OTE_TRY(const SplitNumbers split, SplitRows(table.rows, test_fraction, seed));
  if (split.test.empty()) return Split{table, Take(table, {})};
  return Split{Take(table, split.train), Take(table, split.test)};
}

Result<api::Dataset> Describe(const DataSource& source, const std::string& name, double test_fraction,
                              std::uint64_t seed) {
  OTE_TRY(const Table table, LoadTable(source));
  OTE_TRY(const Split split, SplitTable(table, test_fraction, seed));
  api::Dataset dataset;
  dataset.name = name;
  std::error_code ignored;
  dataset.path = std::filesystem::absolute(source.path, ignored).string();
  if (!source.label_path.empty()) dataset.label_path = std::filesystem::absolute(source.label_path, ignored).string();
  dataset.format = source.format;
  dataset.task = source.task;
  dataset.label = source.label;
  dataset.ignore = source.ignore;
  dataset.test_fraction = test_fraction;
  dataset.split_seed.value = seed;
  dataset.train_rows = split.train.rows;
  dataset.test_rows = split.test.rows;
  dataset.class_names = table.class_names;
  dataset.classes = static_cast<std::int64_t>(table.class_names.size());

  const auto columns = static_cast<std::size_t>(table.columns);
  dataset.columns.resize(columns);
  for (std::size_t c = 0; c < columns; ++c) {
    dataset.columns[c].name = table.feature_names[c];
    dataset.columns[c].min = std::numeric_limits<double>::infinity();
    dataset.columns[c].max = -std::numeric_limits<double>::infinity();
  }
  // Welford's recurrence: one pass, and no cancellation when the mean is far from zero.
  std::vector<double> squares(columns);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::span<const float> values = table.Row(row);
    for (std::size_t c = 0; c < columns; ++c) {
      api::ColumnStats& stats = dataset.columns[c];
      const auto value = static_cast<double>(values[c]);
      const double before = value - stats.mean;
      stats.mean += before / static_cast<double>(row + 1);
      squares[c] += before * (value - stats.mean);
      stats.min = std::min(stats.min, value);
      stats.max = std::max(stats.max, value);
    }
  }
  for (std::size_t c = 0; c < columns; ++c) {
    dataset.columns[c].stddev = std::sqrt(squares[c] / static_cast<double>(table.rows));
  }
  return dataset;
}

}  // namespace ote::learn
