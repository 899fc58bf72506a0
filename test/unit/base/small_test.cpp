// Clock, units, ids.
#include <catch2/catch.hpp>
#include <set>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/units.h"

using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST_CASE("times are written in UTC with milliseconds") {
  CHECK(ote::FormatTime(0) == "1970-01-01T00:00:00.000Z");
  CHECK(ote::FormatTime(1'795'465'560'007) == "2026-11-23T20:26:00.007Z");
  CHECK(ote::FormatTime(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(ote::FormatTime(951'782'400'000) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("a fake clock stands still, advances, and lets the calendar jump alone") {
  ote::FakeClock clock(1000);
  CHECK(clock.WallNow() == 1000);
  clock.Advance(5s);
  CHECK(clock.WallNow() == 6000);
  CHECK(clock.SteadyNow() == 5s);
  clock.SetWall(7);
  CHECK(clock.WallNow() == 7);
  CHECK(clock.SteadyNow() == 5s);
}

TEST_CASE("the system's steady clock does not go back") {
  const ote::SystemClock clock;
  const auto before = clock.SteadyNow();
  CHECK(clock.SteadyNow() >= before);
  CHECK(clock.WallNow() > 1'600'000'000'000);
}

TEST_CASE("durations are read as people write them") {
  const std::pair<const char*, milliseconds> good[] = {{"90s", 90s},
                                                       {"5m", 5min},
                                                       {"24h", 24h},
                                                       {"7d", 168h},
                                                       {"250ms", 250ms},
                                                       {"1h30m", 90min},
                                                       {"1d2h3m4s5ms", 93784005ms},
                                                       {"0s", 0ms}};
  for (const auto& [text, value] : good) CHECK(ote::ParseDuration(text).value() == value);
  for (const char* wrong : {"", "5", "s", "5x", "-5s", "1.5h", "5 m", "5m5m", "30m1h", "1h30", "99999999999999999999s",
                            "213503982335d", "5M"}) {
    INFO(wrong);
    CHECK(ote::ParseDuration(wrong).error().id == ote::ErrorId::kMalformed);
  }
}

TEST_CASE("a duration that was written is read back as the same") {
  CHECK(ote::FormatDuration(90min) == "1h30m");
  CHECK(ote::FormatDuration(0ms) == "0s");
  CHECK(ote::FormatDuration(25h) == "1d1h");
  CHECK(ote::FormatDuration(-1500ms) == "-1s500ms");
  for (const auto value : {1ms, 999ms, 1000ms, 3'661'001ms, 86'400'000ms})
    CHECK(ote::ParseDuration(ote::FormatDuration(value)).value() == value);
}

TEST_CASE("sizes are read in powers of 1024 with an i and of 1000 without") {
  const std::pair<const char*, std::uint64_t> good[] = {{"512", 512},
                                                        {"0", 0},
                                                        {"10kB", 10'000},
                                                        {"64MiB", 64ULL << 20},
                                                        {"3GiB", 3ULL << 30},
                                                        {"1.5GiB", 3ULL << 29},
                                                        {"3.9 MiB", 4089446},
                                                        {"1TB", 1'000'000'000'000},
                                                        {"18446744073709551615", UINT64_MAX}};
  for (const auto& [text, value] : good) CHECK(ote::ParseSize(text).value() == value);
  for (const char* wrong : {"", "MiB", "5X", "5 ", "-1", "1.5", "1.B", "1.1234567GiB", "18446744073709551616",
                            "99999999TiB", "5K", "5mb"}) {
    INFO(wrong);
    CHECK(ote::ParseSize(wrong).error().id == ote::ErrorId::kMalformed);
  }
}

TEST_CASE("sizes are shown with one decimal of the unit that fits") {
  CHECK(ote::FormatSize(0) == "0 B");
  CHECK(ote::FormatSize(1023) == "1023 B");
  CHECK(ote::FormatSize(1024) == "1.0 KiB");
  CHECK(ote::FormatSize(4'089'446) == "3.9 MiB");
  CHECK(ote::FormatSize((1ULL << 20) - 1) == "1.0 MiB");
  CHECK(ote::FormatSize(UINT64_MAX) == "16.0 EiB");
}

TEST_CASE("ids carry their prefix and do not repeat") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ote::NewId("run");
    REQUIRE(id.size() == 14);
    CHECK(id.starts_with("run-"));
    CHECK(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 4) == std::string::npos);
    CHECK(seen.insert(id).second);
  }
}

TEST_CASE("names follow the rule for DNS labels") {
  for (const char* good : {"a", "clinic-a", "7", "a--b"}) CHECK(ote::CheckName("cluster", good).has_value());
  CHECK(ote::CheckName("cluster", std::string(63, 'a')).has_value());
  CHECK_FALSE(ote::CheckName("cluster", std::string(64, 'a')).has_value());
  for (const char* wrong : {"", "-a", "a-", "A", "a.b", "a_b", "a b", "é", "../x"}) {
    INFO(wrong);
    CHECK(ote::CheckName("cluster", wrong).error().id == ote::ErrorId::kMalformed);
  }
  CHECK(ote::CheckName("cluster", "Clinic\nA").error().message ==
        "cluster \"Clinic?A\": a name is 1 to 63 of a-z, 0-9 and -, with no - at either end");
}

TEST_CASE("the nearest known word is found, and none when none is near") {
  const std::vector<std::string_view> known{"hidden", "activation", "kind"};
  CHECK(ote::Nearest("hiden", known) == "hidden");
  CHECK(ote::Nearest("kinds", known) == "kind");
  CHECK(ote::Nearest("zzzzzzzzzzzz", known).empty());
  CHECK(ote::EditDistance("kitten", "sitting") == 3);
  CHECK(ote::EditDistance("", "abc") == 3);
  CHECK(ote::EditDistance("abc", "abc") == 0);
}
