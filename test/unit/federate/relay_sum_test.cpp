#include "core/federate/relay_sum.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

namespace ote::federate {
namespace {

template <class T>
Bytes AsBytesOf(const std::vector<T>& values) {
  Bytes out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

template <class T>
ErrorId Failure(const Result<T>& result) {
  return result ? ErrorId::kFailed : result.error().id;
}

const Bytes kFirst = AsBytesOf<std::uint32_t>({1, 0xfffffffe, 7});
const Bytes kSecond = AsBytesOf<std::uint32_t>({2, 5, 0x80000000});
const Bytes kThird = AsBytesOf<std::uint32_t>({3, 6, 0x80000001});

}  // namespace

TEST_CASE("a masked sum of sums is that of the updates, and stands for the examples that the root knows") {
  RelaySum below = RelaySum::Masked(3);
  REQUIRE(below.Fold(kFirst, 1));
  REQUIRE(below.Fold(kSecond, 1));
  RelaySum above = RelaySum::Masked(3);
  REQUIRE(above.Fold(kThird, 1));
  REQUIRE(above.Merge(below.Save(), 2));
  const Bytes saved = above.Save();
  CHECK(saved.size() == RelaySum::SavedSize(true, 3));
  MaskedSum root(3);
  REQUIRE(MergeSaved(root, saved, 3, 900));
  CHECK(std::vector<std::uint32_t>(root.values().begin(), root.values().end()) == std::vector<std::uint32_t>{6, 9, 8});
  CHECK(root.weight() == 900);
  CHECK(root.updates() == 3);
}

TEST_CASE(
    "a masked sum of more or fewer than is said, of another size or kind is refused, and nothing of it is taken") {
  RelaySum sum = RelaySum::Masked(3);
  REQUIRE(sum.Fold(kFirst, 1));
  REQUIRE(sum.Fold(kSecond, 1));
  const Bytes saved = sum.Save();
  MaskedSum root(3);
  CHECK(Failure(MergeSaved(root, saved, 1, 10)) == ErrorId::kUpdateOutOfRange);
  CHECK(Failure(MergeSaved(root, saved, 3, 10)) == ErrorId::kUpdateOutOfRange);
  CHECK(Failure(MergeSaved(root, saved, 2, -1)) == ErrorId::kUpdateOutOfRange);
  Bytes heavy = saved;
  heavy[8] = 9;  // examples that no relay is told of
  CHECK(Failure(MergeSaved(root, heavy, 2, 10)) == ErrorId::kUpdateOutOfRange);
  MaskedSum wider(4);
  CHECK(Failure(MergeSaved(wider, saved, 2, 10)) == ErrorId::kUpdateShape);
  CHECK(Failure(MergeSaved(root, Accumulator(3, *ChooseGrid(100)).Save(), 2, 10)) == ErrorId::kStoreCorrupt);
  Accumulator exact(3, *ChooseGrid(100));
  CHECK(Failure(MergeSaved(exact, saved, 2)) == ErrorId::kStoreCorrupt);
  CHECK(root.updates() == 0);
  CHECK(root.weight() == 0);
  for (const std::uint32_t value : root.values()) CHECK(value == 0);
}

TEST_CASE("an exact sum of sums has the weights that it was told") {
  const Bytes update = AsBytesOf<float>({1.5F, -2.0F});
  const Grid grid = *ChooseGrid(100);
  RelaySum below = RelaySum::Exact({{}, 2, 1}, grid);
  REQUIRE(below.Fold(update, 10));
  RelaySum above = RelaySum::Exact({{}, 2, 1}, grid);
  CHECK(Failure(above.Merge(below.Save(), 9)) == ErrorId::kUpdateOutOfRange);
  REQUIRE(above.Merge(below.Save(), 10));
  REQUIRE(above.Fold(update, 30));
  const Bytes saved = above.Save();
  CHECK(saved.size() == RelaySum::SavedSize(false, 2));
  Accumulator root(2, grid);
  REQUIRE(MergeSaved(root, saved, 40));
  std::vector<double> means(2);
  root.Means(0, means);
  CHECK(means == std::vector<double>{1.5, -2.0});
}

}  // namespace ote::federate
