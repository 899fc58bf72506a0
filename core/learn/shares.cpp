#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/learn/data.h"
#include "core/learn/random.h"

namespace ote::learn {
namespace {

using Shares = std::vector<std::vector<std::int64_t>>;

Result<void> CheckParts(std::int64_t rows, std::int64_t parts) {
  if (parts < 1) return Fail(ErrorId::kUsage, fmt::format("{} parts: there must be one at least", parts));
  if (rows < parts) {
    return Fail(ErrorId::kDataTooSmall, fmt::format("{} rows cannot be shared among {} parts", rows, parts));
  }
  return {};
}

// In the order of the file, whatever order they were drawn in.
Shares Sorted(Shares shares) {
  for (std::vector<std::int64_t>& share : shares) std::sort(share.begin(), share.end());
  return shares;
}

std::vector<std::vector<std::int64_t>> RowsByClass(const Table& table) {
  std::vector<std::vector<std::int64_t>> by_class(table.class_names.size());
  for (std::int64_t row = 0; row < table.rows; ++row) {
    by_class[static_cast<std::size_t>(table.targets[static_cast<std::size_t>(row)])].push_back(row);
  }
  return by_class;
}

// Shares that a draw left empty get a row of the largest.
void FillEmpty(Shares& shares) {
  for (std::vector<std::int64_t>& share : shares) {
    if (!share.empty()) continue;
    auto& largest = *std::max_element(shares.begin(), shares.end(),
                                      [](const auto& a, const auto& b) { return a.size() < b.size(); });
    share.push_back(largest.back());
    largest.pop_back();
  }
}

// The shares that each class is in: a share takes those that the fewest have by then, in a drawn order.
Shares DealClasses(std::size_t classes, std::size_t parts, std::size_t each, Random& random) {
  Shares holders(classes);
  std::vector<std::size_t> order(classes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t p = 0; p < parts; ++p) {
    random.Shuffle(std::span(order));
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return holders[a].size() < holders[b].size(); });
    for (std::size_t i = 0; i < each; ++i) holders[order[i]].push_back(static_cast<std::int64_t>(p));
  }
  return holders;
}

}  // namespace

Result<Shares> ShareEvenly(std::int64_t rows, std::int64_t parts, std::uint64_t seed) {
  OTE_CHECK(CheckParts(rows, parts));
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Random random(seed);
  random.Shuffle(std::span(order));
  Shares shares(static_cast<std::size_t>(parts));
  for (std::size_t i = 0; i < order.size(); ++i) shares[i % shares.size()].push_back(order[i]);
  return Sorted(std::move(shares));
}

Result<Shares> ShareByDirichlet(const Table& table, std::int64_t parts, double alpha, std::uint64_t seed) {
  OTE_CHECK(CheckParts(table.rows, parts));
  if (!(alpha >= 1e-3 && alpha <= 1e6)) {
    return Fail(ErrorId::kUsage, fmt::format("alpha {}: not from 0.001 to 1000000", alpha));
  }
  if (table.class_names.empty()) {
    return Fail(ErrorId::kUsage, "a Dirichlet split goes by classes, and this data has none", "split it evenly");
  }
  std::vector<std::vector<std::int64_t>> by_class = RowsByClass(table);
  Shares shares(static_cast<std::size_t>(parts));
  for (std::size_t c = 0; c < by_class.size(); ++c) {
    std::vector<std::int64_t>& rows = by_class[c];
    Random random(DeriveSeed(seed, c));
    random.Shuffle(std::span(rows));
    const std::vector<double> weights = random.Dirichlet(shares.size(), alpha);
    double sum = 0;
    std::size_t begin = 0;
    for (std::size_t p = 0; p < shares.size(); ++p) {
      sum += weights[p];
      const double cut = std::floor(sum * static_cast<double>(rows.size()) + 0.5);
      std::size_t end = std::min(static_cast<std::size_t>(cut), rows.size());
      if (p + 1 == shares.size()) end = rows.size();
      for (std::size_t i = begin; i < end; ++i) shares[p].push_back(rows[i]);
      begin = std::max(begin, end);
    }
  }
  FillEmpty(shares);
  return Sorted(std::move(shares));
}

Result<Shares> ShareByClasses(const Table& table, std::int64_t parts, std::int64_t classes, std::uint64_t seed) {
  OTE_CHECK(CheckParts(table.rows, parts));
  const auto known = static_cast<std::int64_t>(table.class_names.size());
  if (known == 0) {
    return Fail(ErrorId::kUsage, "shares of a few classes each need classes, and this data has none",
                "split it evenly");
  }
  if (classes < 1 || classes > known) {
    return Fail(ErrorId::kUsage, fmt::format("{} classes for each part: the data has {}", classes, known));
  }
  if (parts < (known + classes - 1) / classes) {
    return Fail(ErrorId::kUsage,
                fmt::format("{} parts of {} classes: some of the {} classes would be in none", parts, classes, known),
                fmt::format("take {} parts, or more classes for each", (known + classes - 1) / classes));
  }
  Random random(seed);
  const Shares holders =
      DealClasses(table.class_names.size(), static_cast<std::size_t>(parts), static_cast<std::size_t>(classes), random);
  std::vector<std::vector<std::int64_t>> by_class = RowsByClass(table);
  Shares shares(static_cast<std::size_t>(parts));
  for (std::size_t c = 0; c < by_class.size(); ++c) {
    random.Shuffle(std::span(by_class[c]));
    for (std::size_t i = 0; i < by_class[c].size(); ++i) {
      shares[static_cast<std::size_t>(holders[c][i % holders[c].size()])].push_back(by_class[c][i]);
    }
  }
  FillEmpty(shares);
  return Sorted(std::move(shares));
}

}  // namespace ote::learn
