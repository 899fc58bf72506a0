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

std::vector<api::ColumnStats> DescribeColumns(const Table& table) {
  const auto columns = static_cast<std::size_t>(table.columns);
  std::vector<api::ColumnStats> out(columns);
  // Welford's recurrence: one pass, and no cancellation when the mean is far from zero.
  std::vector<double> squares(columns);
  std::vector<std::int64_t> counts(columns);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::span<const float> values = table.Row(row);
    for (std::size_t c = 0; c < columns; ++c) {
      if (std::isnan(values[c])) continue;
      api::ColumnStats& stats = out[c];
      const auto value = static_cast<double>(values[c]);
      const double before = value - stats.mean;
      stats.min = counts[c] == 0 ? value : std::min(stats.min, value);
      stats.max = counts[c] == 0 ? value : std::max(stats.max, value);
      stats.mean += before / static_cast<double>(++counts[c]);
      squares[c] += before * (value - stats.mean);
    }
  }
  for (std::size_t c = 0; c < columns; ++c) {
    if (const auto found = table.categories.find(static_cast<std::int64_t>(c)); found != table.categories.end()) {
      out[c] = {};  // the numbers are places of categories
      out[c].categories = static_cast<std::int64_t>(found->second.size());
    } else if (counts[c] > 0) {
      out[c].stddev = std::sqrt(squares[c] / static_cast<double>(counts[c]));
    }
    out[c].name = table.feature_names[c];
    out[c].missing = table.rows - counts[c];
  }
  return out;
}

}  // namespace

std::span<const float> Table::Row(std::int64_t i) const noexcept {
  return std::span(features).subspan(static_cast<std::size_t>(i * columns), static_cast<std::size_t>(columns));
}

std::int64_t Table::PlaceOf(std::int64_t row) const noexcept {
  return places.empty() ? row + 1 : places[static_cast<std::size_t>(row)];
}

Table Take(const Table& table, std::span<const std::int64_t> rows) {
  Table part;
  part.rows = static_cast<std::int64_t>(rows.size());
  part.columns = table.columns;
  part.feature_names = table.feature_names;
  part.class_names = table.class_names;
  part.categories = table.categories;
  part.places.reserve(rows.size());
  part.features.reserve(rows.size() * static_cast<std::size_t>(table.columns));
  part.targets.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const std::span<const float> values = table.Row(row);
    part.features.insert(part.features.end(), values.begin(), values.end());
    part.targets.push_back(table.targets[static_cast<std::size_t>(row)]);
    part.places.push_back(table.PlaceOf(row));
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
  dataset.categorical = source.categorical;
  dataset.missing = source.missing;
  dataset.test_fraction = test_fraction;
  dataset.split_seed.value = seed;
  dataset.train_rows = split.train.rows;
  dataset.test_rows = split.test.rows;
  dataset.class_names = table.class_names;
  dataset.classes = static_cast<std::int64_t>(table.class_names.size());

  dataset.columns = DescribeColumns(table);
  return dataset;
}

}  // namespace ote::learn
