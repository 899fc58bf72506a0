#include "agent/watch/spool.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/base/files.h"
#include "test/unit/store/scratch.h"

namespace ote::agent {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Spool> OpenSpool(const fs::path& folder, std::uint64_t limit = 1 << 20) {
  return Spool::Open(folder, "clinic-a", limit).value();
}
void Fill(Spool& spool, int count, int from = 0) {
  for (int i = 0; i < count; ++i) spool.Append(1'795'465'560'000, Json{{"n", from + i}});
}
std::vector<int> Numbers(const Spool::Batch& batch) {
  std::vector<int> numbers;
  for (const auto& item : batch.items) numbers.push_back(ParseJson(item.doc).value()["n"].get<int>());
  return numbers;
}
fs::path NewestSegment(const fs::path& folder) {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl" && entry.path() > newest) newest = entry.path();
  }
  return newest;
}

}  // namespace

TEST_CASE("records leave the spool in their order, and only once they are done") {
  const test::Scratch scratch;
  const auto spool = OpenSpool(scratch.path);
  Fill(*spool, 5);
  CHECK(spool->Waiting() == 5);
  const auto first = spool->Next(3, 1 << 20);
  CHECK(Numbers(first) == std::vector<int>{0, 1, 2});
  CHECK(Numbers(spool->Next(3, 1 << 20)) == std::vector<int>{0, 1, 2});
  REQUIRE(spool->Done(first.end));
  CHECK(spool->Waiting() == 2);
  const auto rest = spool->Next(10, 1 << 20);
  CHECK(Numbers(rest) == std::vector<int>{3, 4});
  REQUIRE(spool->Done(rest.end));
  CHECK(spool->Waiting() == 0);
  CHECK(spool->Bytes() == 0);
  Fill(*spool, 1, 9);
  CHECK(Numbers(spool->Next(10, 1 << 20)) == std::vector<int>{9});
}

TEST_CASE("a batch has at least one record, whatever the bytes it may have") {
  const test::Scratch scratch;
  const auto spool = OpenSpool(scratch.path);
  Fill(*spool, 3);
  CHECK(spool->Next(10, 1).items.size() == 1);
}

TEST_CASE("the spool outlives its process, with the ids that records had") {
  const test::Scratch scratch;
  std::vector<std::string> ids;
  {
    const auto spool = OpenSpool(scratch.path);
    Fill(*spool, 3);
    const auto batch = spool->Next(1, 1 << 20);
    REQUIRE(spool->Done(batch.end));
    for (const auto& item : spool->Next(10, 1 << 20).items) ids.push_back(item.id);
  }
  const auto spool = OpenSpool(scratch.path);
  CHECK(spool->Waiting() == 2);
  Fill(*spool, 1, 3);
  const auto batch = spool->Next(10, 1 << 20);
  CHECK(Numbers(batch) == std::vector<int>{1, 2, 3});
  CHECK(batch.items[0].id == ids[0]);
  CHECK(batch.items[1].id == ids[1]);
  CHECK(batch.items[2].id != ids[0]);
  CHECK(batch.items[2].id.starts_with("clinic-a."));
}

TEST_CASE("a line that a kill cut off is passed over, and what follows is not lost") {
  const test::Scratch scratch;
  {
    const auto spool = OpenSpool(scratch.path);
    Fill(*spool, 2);
  }
  fs::resize_file(NewestSegment(scratch.path), fs::file_size(NewestSegment(scratch.path)) - 5);
  const auto spool = OpenSpool(scratch.path);
  Fill(*spool, 1, 7);
  const auto batch = spool->Next(10, 1 << 20);
  CHECK(Numbers(batch) == std::vector<int>{0, 7});
  REQUIRE(spool->Done(batch.end));
  CHECK(spool->Waiting() == 0);
}

TEST_CASE("lines that are none are passed over") {
  const test::Scratch scratch;
  {
    const auto spool = OpenSpool(scratch.path);
    Fill(*spool, 1);
  }
  std::ofstream(NewestSegment(scratch.path), std::ios::app) << "no json\n{\"id\":1}\n\n";
  const auto spool = OpenSpool(scratch.path);
  Fill(*spool, 1, 1);
  CHECK(Numbers(spool->Next(10, 1 << 20)) == std::vector<int>{0, 1});
}

TEST_CASE("a full spool gives up the oldest, counts them, and stays within its bound") {
  const test::Scratch scratch;
  constexpr std::uint64_t kLimit = 256 << 10;
  const auto spool = OpenSpool(scratch.path, kLimit);
  const std::string words(1000, 'x');
  for (int i = 0; i < 1000; ++i) spool->Append(0, Json{{"n", i}, {"words", words}});
  CHECK(spool->Bytes() <= kLimit);
  CHECK(spool->Dropped() > 0);
  CHECK(spool->Dropped() + spool->Waiting() == 1000);
  std::uint64_t on_disk = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path)) on_disk += fs::file_size(entry);
  CHECK(on_disk <= kLimit + 4096);
  const auto numbers = Numbers(spool->Next(1000, 1 << 30));
  CHECK(numbers.back() == 999);
  CHECK(numbers.size() == spool->Waiting());
}

TEST_CASE("a batch whose records were given up meanwhile moves nothing back") {
  const test::Scratch scratch;
  constexpr std::uint64_t kLimit = 256 << 10;
  const auto spool = OpenSpool(scratch.path, kLimit);
  Fill(*spool, 1);
  const auto old = spool->Next(1, 1 << 20);
  const std::string words(1000, 'x');
  for (int i = 0; i < 500; ++i) spool->Append(0, Json{{"n", i}, {"words", words}});
  const auto before = spool->Waiting();
  REQUIRE(spool->Done(old.end));
  CHECK(spool->Waiting() == before);
}

TEST_CASE("how much was given up is remembered over a restart") {
  const test::Scratch scratch;
  constexpr std::uint64_t kLimit = 256 << 10;
  std::uint64_t dropped = 0;
  {
    const auto spool = OpenSpool(scratch.path, kLimit);
    const std::string words(1000, 'x');
    for (int i = 0; i < 500; ++i) spool->Append(0, Json{{"n", i}, {"words", words}});
    dropped = spool->Dropped();
  }
  CHECK(OpenSpool(scratch.path, kLimit)->Dropped() == dropped);
}

TEST_CASE("a record that is too long is given up, and those after it are kept") {
  const test::Scratch scratch;
  const auto spool = OpenSpool(scratch.path);
  spool->Append(0, Json{{"words", std::string(Spool::kLongestLine, 'x')}});
  Fill(*spool, 1, 4);
  CHECK(spool->Dropped() == 1);
  CHECK(Numbers(spool->Next(10, 1 << 20)) == std::vector<int>{4});
}

}  // namespace ote::agent
