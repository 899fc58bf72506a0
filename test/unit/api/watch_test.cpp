#include "core/api/watch.h"

#include <catch2/catch.hpp>

using namespace ote;

TEST_CASE("an address for metrics is an address or localhost, and a port") {
  const auto at = api::ParseHostPort("127.0.0.1:9440");
  REQUIRE(at);
  CHECK(at->host == "127.0.0.1");
  CHECK(at->port == 9440);
  CHECK(at->loopback);
  CHECK(api::ParseHostPort("localhost:0")->host == "127.0.0.1");
  CHECK(api::ParseHostPort("[::1]:9440")->loopback);
  CHECK_FALSE(api::ParseHostPort("0.0.0.0:9440")->loopback);
  for (const char* wrong : {"", "9440", "example:9440", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:94a"}) {
    INFO(wrong);
    REQUIRE_FALSE(api::ParseHostPort(wrong));
    CHECK(api::ParseHostPort(wrong).error().id == ErrorId::kMetricsAddress);
  }
}

TEST_CASE("the log leaves this machine encrypted only, and no secret stands in a URL") {
  api::ShipSettings ship;
  for (const char* good : {"https://logs.example:9200", "https://logs.example/prefix", "http://127.0.0.1:9200",
                           "http://localhost:9200", "http://[::1]:9200"}) {
    INFO(good);
    ship.url = good;
    CHECK(api::CheckShip(ship));
  }
  for (const char* bad : {"http://logs.example:9200", "http://127.0.0.1.example", "http://localhost@logs.example",
                          "ftp://x", "https://", "https://a b", "https://x/?q=1", "https://me:pw@x"}) {
    INFO(bad);
    ship.url = bad;
    REQUIRE_FALSE(api::CheckShip(ship));
    CHECK(api::CheckShip(ship).error().message.find("pw") == std::string::npos);
  }
}

TEST_CASE("an index has the day of its records, and a name that an index may have") {
  CHECK(api::IndexAt("ote-logs-YYYY.MM.DD", 1'795'465'560'000) == "ote-logs-2026.11.23");
  CHECK(api::IndexAt("all", 0) == "all");
  api::ShipSettings ship;
  ship.url = "https://x";
  for (const char* bad : {"", "Upper", "_x", "a/b", "a b"}) {
    ship.index = bad;
    INFO(bad);
    CHECK_FALSE(api::CheckShip(ship));
  }
}
