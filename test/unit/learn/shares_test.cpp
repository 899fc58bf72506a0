#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "core/learn/data.h"
#include "core/learn/random.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;

namespace {

// Every row stands in one share, once, and every share has one.
void CheckPartition(const std::vector<std::vector<std::int64_t>>& shares, std::int64_t rows) {
  std::set<std::int64_t> seen;
  for (const auto& share : shares) {
    CHECK_FALSE(share.empty());
    CHECK(std::is_sorted(share.begin(), share.end()));
    for (const std::int64_t row : share) CHECK(seen.insert(row).second);
  }
  CHECK(static_cast<std::int64_t>(seen.size()) == rows);
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == rows - 1);
}

// The mean over the shares of the largest class's part.
double Skew(const Table& table, const std::vector<std::vector<std::int64_t>>& shares) {
  double sum = 0;
  for (const auto& share : shares) {
    std::vector<double> counts(table.class_names.size());
    for (const std::int64_t row : share)
      ++counts[static_cast<std::size_t>(table.targets[static_cast<std::size_t>(row)])];
    sum += *std::max_element(counts.begin(), counts.end()) / static_cast<double>(share.size());
  }
  return sum / static_cast<double>(shares.size());
}

}  // namespace

TEST_CASE("even shares differ by one row at most and cover all") {
  const auto shares = ShareEvenly(103, 4, 1);
  REQUIRE(shares);
  CheckPartition(*shares, 103);
  for (const auto& share : *shares) CHECK((share.size() == 25 || share.size() == 26));
  CHECK(*shares == *ShareEvenly(103, 4, 1));
  CHECK(*shares != *ShareEvenly(103, 4, 2));
  CHECK(ShareEvenly(3, 4, 1).error().id == ErrorId::kDataTooSmall);
  CHECK(ShareEvenly(3, 0, 1).error().id == ErrorId::kUsage);
}

TEST_CASE("Dirichlet shares cover all, are never empty, and skew more the smaller alpha is") {
  const Table table = Clouds(1000, 2, 10, 1);
  double before = 2;
  for (const double alpha : {0.01, 0.3, 3.0, 1000.0}) {
    const auto shares = ShareByDirichlet(table, 5, alpha, 42);
    REQUIRE(shares);
    CheckPartition(*shares, 1000);
    CHECK(*shares == *ShareByDirichlet(table, 5, alpha, 42));
    CHECK(Skew(table, *shares) < before);
    before = Skew(table, *shares);
  }
  CHECK(before < 0.13);  // one tenth when even
  CheckPartition(*ShareByDirichlet(Clouds(6, 2, 2, 1), 6, 0.001, 9), 6);
  CHECK(ShareByDirichlet(table, 5, 0, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByDirichlet(table, 5, NAN, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByDirichlet(table, 1001, 1, 1).error().id == ErrorId::kDataTooSmall);
  CHECK(ShareByDirichlet(Clouds(10, 2, 0, 1), 2, 1, 1).error().id == ErrorId::kUsage);
}

TEST_CASE("shares of a few classes have no row of another, cover all, and hold every class about equally often") {
  const Table table = Clouds(1000, 2, 10, 1);
  for (const std::int64_t parts : {5, 7, 10, 13}) {
    const auto shares = ShareByClasses(table, parts, 2, 42);
    REQUIRE(shares);
    CheckPartition(*shares, 1000);
    CHECK(*shares == *ShareByClasses(table, parts, 2, 42));
    CHECK(*shares != *ShareByClasses(table, parts, 2, 43));
    std::vector<std::int64_t> holders(table.class_names.size());
    for (const auto& share : *shares) {
      std::set<float> classes;
      for (const std::int64_t row : share) classes.insert(table.targets[static_cast<std::size_t>(row)]);
      CHECK(classes.size() == 2);
      for (const float c : classes) ++holders[static_cast<std::size_t>(c)];
    }
    const auto [fewest, most] = std::minmax_element(holders.begin(), holders.end());
    CHECK(*fewest >= 1);
    CHECK(*most - *fewest <= 1);
  }
  // Fewer rows of a class than shares that it is in.
  CheckPartition(*ShareByClasses(Clouds(6, 2, 2, 1), 6, 1, 9), 6);
}

TEST_CASE("shares of a few classes are refused when a class would be in none, or there are none") {
  const Table table = Clouds(100, 2, 10, 1);
  CHECK(ShareByClasses(table, 4, 2, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByClasses(table, 3, 4, 1));
  CHECK(ShareByClasses(table, 5, 0, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByClasses(table, 5, 11, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByClasses(table, 5, INT64_MAX, 1).error().id == ErrorId::kUsage);
  CHECK(ShareByClasses(table, 101, 2, 1).error().id == ErrorId::kDataTooSmall);
  CHECK(ShareByClasses(Clouds(10, 2, 0, 1), 2, 1, 1).error().id == ErrorId::kUsage);
}

TEST_CASE("a split is the same at every call, near its fraction, and leaves neither side empty") {
  const Table table = Clouds(2000, 3, 2, 1);
  const auto split = SplitTable(table, 0.2, 5);
  REQUIRE(split);
  CHECK(split->train.rows + split->test.rows == 2000);
  CHECK(std::abs(split->test.rows - 400) < 60);
  CHECK(split->test.features == SplitTable(table, 0.2, 5)->test.features);
  CHECK(split->test.features != SplitTable(table, 0.2, 6)->test.features);
  CHECK(split->test.class_names == table.class_names);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (const double fraction : {1e-9, 0.5, 0.999999}) {
      const auto two = SplitTable(Clouds(2, 3, 2, 1), fraction, seed);
      REQUIRE(two);
      CHECK(two->train.rows == 1);
      CHECK(two->test.rows == 1);
    }
  }
  CHECK(SplitTable(table, 0, 1)->test.rows == 0);
  CHECK(SplitTable(table, 0, 1)->train.rows == 2000);
  CHECK(SplitTable(table, 1, 1).error().id == ErrorId::kUsage);
  CHECK(SplitTable(table, NAN, 1).error().id == ErrorId::kUsage);
  CHECK(SplitTable(Clouds(1, 3, 1, 1), 0.5, 1).error().id == ErrorId::kDataTooSmall);
}

TEST_CASE("the generators give their published numbers") {
  // SplitMix64 from 1234567 and xoshiro256** seeded by it: the values that the reference code prints.
  CHECK(Mix64(1234567) == 6457827717110365317ULL);
  CHECK(Mix64(1234567 + 0x9e3779b97f4a7c15ULL) == 3203168211198807973ULL);
  Random random(0);
  CHECK(random.Next() == 11091344671253066420ULL);
  CHECK(random.Next() == 13793997310169335082ULL);
  CHECK(random.Next() == 1900383378846508768ULL);
}

TEST_CASE("draws have the moments of their distributions") {
  Random random(11);
  constexpr int kDraws = 40'000;
  double sum = 0;
  double square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Normal();
    sum += x;
    square += x * x;
  }
  CHECK(sum / kDraws == Approx(0).margin(0.02));
  CHECK(square / kDraws == Approx(1).epsilon(0.03));
  for (const double shape : {0.3, 1.0, 4.5}) {
    sum = square = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = std::exp(random.LogGamma(shape));
      sum += x;
      square += x * x;
    }
    const double mean = sum / kDraws;
    CHECK(mean == Approx(shape).epsilon(0.04));
    CHECK(square / kDraws - mean * mean == Approx(shape).epsilon(0.08));
  }
  std::vector<int> counts(7);
  for (int i = 0; i < kDraws; ++i) ++counts[random.Below(7)];
  for (const int count : counts) CHECK(count == Approx(kDraws / 7.0).epsilon(0.06));
  const auto shares = random.Dirichlet(4, 0.001);
  CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) == Approx(1));
}
