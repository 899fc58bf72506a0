#include "core/federate/accumulator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

namespace ote::federate {
namespace {

std::vector<float> RandomUpdate(std::mt19937_64& random, std::size_t count, double spread) {
  std::uniform_real_distribution<double> draw(-spread, spread);
  std::vector<float> out(count);
  for (float& x : out) x = static_cast<float>(draw(random));
  return out;
}

// n·x on the grid, by 128-bit integers: the reference for the loops.
std::int64_t Units(float x, std::int64_t weight, int exponent) {
  int power = 0;
  const auto mantissa =
      static_cast<std::int64_t>(std::ldexp(std::frexp(x, &power), 24));  // x = mantissa · 2^(power-24)
  __extension__ using Int128 = __int128;
  Int128 value = static_cast<Int128>(mantissa) * weight;
  const int shift = power - 24 + exponent;
  if (shift >= 0) return static_cast<std::int64_t>(value << shift);
  if (shift < -100) return 0;
  const Int128 unit = static_cast<Int128>(1) << -shift;
  Int128 quotient = value / unit;
  Int128 rest = value % unit;
  if (rest < 0) {
    rest += unit;
    --quotient;
  }
  if (rest * 2 > unit || (rest * 2 == unit && (quotient & 1) != 0)) ++quotient;
  return static_cast<std::int64_t>(quotient);
}

TEST_CASE("every value is rounded half to even to the grid, whatever its weight") {
  std::mt19937_64 random(7);
  for (const std::int64_t capacity : {1LL, 3LL, 1000LL, 1LL << 20, (1LL << 29) - 1}) {
    const Grid grid = *ChooseGrid(capacity);
    for (const std::int64_t weight : {std::int64_t{1}, capacity / 3 + 1, capacity}) {
      std::vector<float> update = RandomUpdate(random, 997, 2.0);
      const std::vector<float> edges = {0.0F,     -0.0F,    1024.0F,   -1024.0F, 1e-30F,  -1e-38F,
                                        1e-44F,   0.5F,     -0.5F,     1.5e-9F,  3.1e-5F, 1023.9F,
                                        0x1p-43F, 0x3p-43F, -0x1p-43F, 0x1p-42F, 0x1p-52F};
      update.insert(update.end(), edges.begin(), edges.end());
      for (int exponent = -55; exponent < -20; ++exponent) {
        update.push_back(std::ldexp(3.0F, exponent));
        update.push_back(std::ldexp(-5.0F, exponent));
      }
      Accumulator sum(update.size(), grid);
      REQUIRE(sum.Fold(update, weight));
      CHECK(sum.weight() == weight);
      for (std::size_t i = 0; i < update.size(); ++i) {
        INFO("value " << update[i] << " weight " << weight << " exponent " << grid.exponent);
        REQUIRE(sum.sums()[i] == Units(update[i], weight, grid.exponent));
      }
    }
  }
}

TEST_CASE("the sum has the same bits in every order and in every shape of tree") {
  std::mt19937_64 random(11);
  constexpr std::size_t kCount = 5000;
  std::vector<std::pair<std::vector<float>, std::int64_t>> updates;
  std::int64_t total = 0;
  for (int i = 0; i < 23; ++i) {
    const auto weight = static_cast<std::int64_t>(1 + random() % 5000);
    updates.emplace_back(RandomUpdate(random, kCount, std::pow(10.0, -(i % 7))), weight);
    total += weight;
  }
  const Grid grid = *ChooseGrid(total);
  Accumulator first(kCount, grid);
  for (const auto& [update, weight] : updates) REQUIRE(first.Fold(update, weight));
  for (int turn = 0; turn < 20; ++turn) {
    std::shuffle(updates.begin(), updates.end(), random);
    Accumulator left(kCount, grid);
    Accumulator right(kCount, grid);
    for (std::size_t i = 0; i < updates.size(); ++i) {
      Accumulator& side = random() % 2 == 0 ? left : right;
      REQUIRE(side.Fold(updates[i].first, updates[i].second));
    }
    REQUIRE(left.Merge(right));
    CHECK(left.weight() == first.weight());
    REQUIRE(std::equal(left.sums().begin(), left.sums().end(), first.sums().begin()));
  }
}

TEST_CASE("a bad value anywhere leaves the sum as it was") {
  std::mt19937_64 random(3);
  constexpr std::size_t kCount = 10'000;
  const std::vector<float> good = RandomUpdate(random, kCount, 1.0);
  Accumulator sum(kCount, *ChooseGrid(1000));
  REQUIRE(sum.Fold(good, 10));
  const std::vector<std::int64_t> before(sum.sums().begin(), sum.sums().end());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::size_t at : {std::size_t{0}, std::size_t{2047}, std::size_t{2048}, std::size_t{7777}, kCount - 1}) {
    for (const auto& [value, id] : std::vector<std::pair<float, ErrorId>>{{nan, ErrorId::kUpdateNotFinite},
                                                                          {-nan, ErrorId::kUpdateNotFinite},
                                                                          {infinity, ErrorId::kUpdateNotFinite},
                                                                          {-infinity, ErrorId::kUpdateNotFinite},
                                                                          {1024.0001F, ErrorId::kUpdateOutOfRange},
                                                                          {-3e38F, ErrorId::kUpdateOutOfRange}}) {
      std::vector<float> bad = good;
      bad[at] = value;
      const auto folded = sum.Fold(bad, 7);
      REQUIRE_FALSE(folded);
      CHECK(folded.error().id == id);
      CHECK(folded.error().message.find(std::to_string(at)) != std::string::npos);
      CHECK(sum.weight() == 10);
      REQUIRE(std::equal(before.begin(), before.end(), sum.sums().begin()));
    }
  }
}

TEST_CASE("weights and sizes that do not fit are refused") {
  Accumulator sum(4, *ChooseGrid(100));
  const std::vector<float> update = {1, 2, 3, 4};
  CHECK(sum.Fold(update, 0).error().id == ErrorId::kUpdateOutOfRange);
  CHECK(sum.Fold(update, -5).error().id == ErrorId::kUpdateOutOfRange);
  CHECK(sum.Fold(update, 101).error().id == ErrorId::kUpdateOutOfRange);
  CHECK(sum.Fold(std::span(update).first(3), 1).error().id == ErrorId::kUpdateShape);
  REQUIRE(sum.Fold(update, 60));
  CHECK(sum.Fold(update, 41).error().id == ErrorId::kUpdateOutOfRange);
  CHECK(sum.Fold(update, std::numeric_limits<std::int64_t>::max()).error().id == ErrorId::kUpdateOutOfRange);
  REQUIRE(sum.Fold(update, 40));
  CHECK(sum.Merge(Accumulator(4, *ChooseGrid(101))).error().id == ErrorId::kUpdateShape);
  CHECK(sum.Merge(Accumulator(5, *ChooseGrid(100))).error().id == ErrorId::kUpdateShape);
  Accumulator other(4, *ChooseGrid(100));
  REQUIRE(other.Fold(update, 1));
  CHECK(sum.Merge(other).error().id == ErrorId::kUpdateOutOfRange);
}

TEST_CASE("the grid holds the largest sum that it promises and nothing finer fits") {
  CHECK(ChooseGrid(0).error().id == ErrorId::kRunInvalid);
  CHECK(ChooseGrid((1LL << 40) + 1).error().id == ErrorId::kRunInvalid);
  CHECK(ChooseGrid(1)->exponent == 52);
  CHECK(ChooseGrid(1024)->exponent == 42);
  CHECK(ChooseGrid(1025)->exponent == 41);
  CHECK(ChooseGrid(1LL << 40)->exponent == 12);
  const std::vector<float> most = {1024.0F, -1024.0F};
  for (const std::int64_t capacity : {1LL, 1000LL, 1LL << 29, (1LL << 40) - 1, 1LL << 40}) {
    Accumulator sum(2, *ChooseGrid(capacity));
    REQUIRE(sum.Fold(most, capacity));
    CHECK(sum.sums()[0] <= 1LL << 62);
    CHECK(sum.sums()[0] == -sum.sums()[1]);
    std::vector<float> mean(2);
    sum.AddMean(std::vector<float>{0, 1}, mean);
    CHECK(mean[0] == 1024.0F);
    CHECK(mean[1] == -1023.0F);
  }
}

TEST_CASE("bytes at any alignment give the same sum as floats") {
  std::mt19937_64 random(5);
  const std::vector<float> update = RandomUpdate(random, 4099, 3.0);
  Accumulator straight(update.size(), *ChooseGrid(77));
  REQUIRE(straight.Fold(update, 77));
  for (std::size_t shift = 0; shift < 4; ++shift) {
    Bytes bytes(update.size() * sizeof(float) + shift);
    std::memcpy(bytes.data() + shift, update.data(), update.size() * sizeof(float));
    Accumulator sum(update.size(), *ChooseGrid(77));
    REQUIRE(sum.FoldBytes(ByteView(bytes).subspan(shift), 77));
    CHECK(std::equal(sum.sums().begin(), sum.sums().end(), straight.sums().begin()));
  }
}

TEST_CASE("the mean is as near to the exact one as a float64 sum") {
  // 1000 sites of 50 to 500 rows, changes of many magnitudes, the whole capacity used.
  std::mt19937_64 random(2024);
  std::uniform_real_distribution<double> magnitude(-40, 0);
  constexpr std::size_t kCount = 257;
  constexpr int kSites = 1000;
  std::vector<std::vector<float>> updates;
  std::vector<std::int64_t> weights;
  for (int i = 0; i < kSites; ++i) {
    updates.push_back(RandomUpdate(random, kCount, 1.0));
    for (float& x : updates.back()) x *= static_cast<float>(std::exp2(magnitude(random)));
    weights.push_back(static_cast<std::int64_t>(50 + random() % 451));
  }
  const std::int64_t total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  const Grid grid = *ChooseGrid(total);
  Accumulator sum(kCount, grid);
  std::vector<double> plain(kCount);
  std::vector<long double> exact(kCount);  // 2^-64 of the sum: ten bits better than what is compared
  for (std::size_t i = 0; i < kSites; ++i) {
    REQUIRE(sum.Fold(updates[i], weights[i]));
    for (std::size_t j = 0; j < kCount; ++j) {
      plain[j] += static_cast<double>(updates[i][j]) * static_cast<double>(weights[i]);
      exact[j] += static_cast<long double>(updates[i][j]) * static_cast<long double>(weights[i]);
    }
  }
  long double grid_worst = 0;
  long double plain_worst = 0;
  for (std::size_t j = 0; j < kCount; ++j) {
    const long double on_grid = std::ldexp(static_cast<long double>(sum.sums()[j]), -grid.exponent);
    grid_worst = std::max(grid_worst, std::abs(on_grid - exact[j]) / static_cast<long double>(total));
    plain_worst = std::max(plain_worst, std::abs(plain[j] - exact[j]) / static_cast<long double>(total));
  }
  const long double promised = std::ldexp(1.0L, -(grid.exponent + 1)) * kSites / static_cast<long double>(total);
  UNSCOPED_INFO("worst error of a mean of 1000 updates: on the grid "
                << static_cast<double>(grid_worst) << ", as float64 " << static_cast<double>(plain_worst)
                << ", promised " << static_cast<double>(promised));
  CHECK(grid_worst > 0);
  CHECK(grid_worst <= promised);
  CHECK(grid_worst < 3e-14L);
  CHECK(promised < 2.3e-13L);
  CHECK(plain_worst < 1e-14L);
}

TEST_CASE("a checkpoint gives the same accumulator back") {
  std::mt19937_64 random(9);
  Accumulator sum(100, *ChooseGrid(5000));
  REQUIRE(sum.Fold(RandomUpdate(random, 100, 1000.0), 4000));
  const Bytes saved = sum.Save();
  CHECK(saved.size() == 40 + 800);
  const auto back = Accumulator::Restore(saved);
  REQUIRE(back);
  CHECK(back->grid() == sum.grid());
  CHECK(back->weight() == 4000);
  CHECK(std::equal(back->sums().begin(), back->sums().end(), sum.sums().begin()));
  CHECK(back->Save() == saved);
  sum.Clear();
  CHECK(sum.weight() == 0);
  CHECK(std::all_of(sum.sums().begin(), sum.sums().end(), [](std::int64_t s) { return s == 0; }));
}

TEST_CASE("a checkpoint that was tampered with is refused") {
  Accumulator sum(3, *ChooseGrid(10));
  REQUIRE(sum.Fold(std::vector<float>{1, -2, 1024}, 10));
  const Bytes good = sum.Save();
  const auto with = [&good](std::size_t at, std::int64_t value) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return Accumulator::Restore(bytes);
  };
  REQUIRE(Accumulator::Restore(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(Accumulator::Restore(ByteView(good).first(size)).error().id == ErrorId::kStoreCorrupt);
  }
  CHECK_FALSE(with(0, 0));   // the tag
  CHECK_FALSE(with(8, -1));  // exponent
  CHECK_FALSE(with(8, 63));
  CHECK_FALSE(with(8, 49));  // finer than the capacity allows
  CHECK_FALSE(with(16, 0));  // capacity
  CHECK_FALSE(with(16, 1LL << 41));
  CHECK_FALSE(with(24, -1));  // weight
  CHECK_FALSE(with(24, 11));
  CHECK_FALSE(with(24, 9));  // a sum that 9 examples cannot have made
  CHECK_FALSE(with(32, 4));  // count
  CHECK_FALSE(with(32, -1));
  CHECK_FALSE(with(32, std::numeric_limits<std::int64_t>::max()));
  CHECK_FALSE(with(40, std::numeric_limits<std::int64_t>::min()));  // a sum
}

}  // namespace
}  // namespace ote::federate
