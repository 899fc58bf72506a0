#include "core/api/page.h"

#include <catch2/catch.hpp>

using ote::api::PageRoom;

TEST_CASE("a page has room for its limit of items, and for its bytes") {
  PageRoom by_items(2);
  CHECK(by_items.Take(1));
  CHECK(by_items.Take(1));
  CHECK_FALSE(by_items.Take(1));
  PageRoom by_bytes(10, 100);
  CHECK(by_bytes.Take(60));
  CHECK_FALSE(by_bytes.Take(41));
  CHECK(by_bytes.Take(40));
  CHECK_FALSE(by_bytes.Take(1));
}

TEST_CASE("the first item of a page goes in whatever its size, and a limit is within bounds") {
  PageRoom small(0, 10);
  CHECK(small.Take(1'000));
  CHECK_FALSE(small.Take(0));
  PageRoom large(1'000'000);
  for (std::int64_t i = 0; i < ote::api::kMostInPage; ++i) CHECK(large.Take(0));
  CHECK_FALSE(large.Take(0));
}
