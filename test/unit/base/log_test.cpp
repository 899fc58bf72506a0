#include "core/base/log.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <vector>

#include "core/base/codec.h"
#include "core/base/log_format.h"
#include "core/base/log_sink.h"

using namespace std::chrono_literals;
using namespace ote::log;

namespace {
constexpr ote::UnixMillis kAt = 1'795'465'560'000;
std::string Text(std::string_view event, const std::vector<Field>& fields) {
  return FormatLine(Level::kInfo, Format::kText, kAt, event, fields);
}
}  // namespace

TEST_CASE("a text line is time, level, event and fields") {
  CHECK(Text("member admitted", {{"cluster", "clinic-a"}, {"serial", 7}}) ==
        "2026-11-23T20:26:00.000Z info  member admitted cluster=clinic-a serial=7");
  CHECK(FormatLine(Level::kError, Format::kText, kAt, "x", {}) == "2026-11-23T20:26:00.000Z error x");
}

TEST_CASE("a value cannot forge a line, a field or a terminal command") {
  const std::string head = "2026-11-23T20:26:00.000Z info  e ";
  CHECK(Text("e", {{"k", "two words"}}) == head + R"(k="two words")");
  CHECK(Text("e", {{"k", ""}}) == head + R"(k="")");
  CHECK(Text("e", {{"k", "a\nb\tc\x1b[31m\x7f"}}) == head + R"(k="a\nb\tc\x1b[31m\x7f")");
  CHECK(Text("e", {{"k", R"(say "no" \o/)"}}) == head + R"(k="say \"no\" \\o/")");
  CHECK(Text("e", {{"k", "a=b"}}) == head + R"(k="a=b")");
  CHECK(Text("e", {{"k", "é"}}) == head + "k=é");
  CHECK(Text("e", {{"k",
                    "\xc2\x9b"
                    "31m"}}) == head + R"(k="\xc2\x9b31m")");
  CHECK(Text("e", {{"k", "\xff"}}) == head + R"(k="\xff")");
  CHECK(Text("e\nf", {}) == R"(2026-11-23T20:26:00.000Z info  e\nf)");
}

TEST_CASE("a JSON line is one object whatever the values are") {
  const std::vector<Field> fields{{"cluster", "a\n\"b\xff"}, {"n", 3}};
  const std::string line = FormatLine(Level::kWarn, Format::kJson, kAt, "odd", fields);
  CHECK(line.find('\n') == std::string::npos);
  const ote::Json json = ote::ParseJson(line).value();
  CHECK(json["time"] == "2026-11-23T20:26:00.000Z");
  CHECK(json["level"] == "warn");
  CHECK(json["event"] == "odd");
  CHECK(json["cluster"] == "a\n\"b\xef\xbf\xbd");
  CHECK(json["n"] == "3");
}

TEST_CASE("a JSON line names the agent, whatever its fields are called") {
  const std::vector<Field> fields{{"agent", "forged"}, {"time", "forged"}};
  const ote::Json json = ote::ParseJson(FormatLine(Level::kInfo, Format::kJson, kAt, "x", fields, "hq")).value();
  CHECK(json["agent"] == "hq");
  CHECK(json["time"] == "2026-11-23T20:26:00.000Z");
}

TEST_CASE("a sink gets each record that passes the level, until it is taken away") {
  std::vector<std::string> seen;
  Configure(Level::kInfo, Format::kText);
  SetSink([&](const Record& record) {
    CHECK(record.at > 0);
    std::string fields;
    for (const Field& field : record.fields) fields += std::string(field.key) + "=" + field.value + " ";
    seen.push_back(std::string(LevelName(record.level)) + " " + std::string(record.event) + " " + fields);
    Warn("from within");  // does not come back here
  });
  Debug("too little");
  Info("one", {{"n", 1}});
  SetSink({});
  Error("later");
  CHECK(seen == std::vector<std::string>{"info one n=1 "});
  Configure(Level::kWarn, Format::kText);
}

TEST_CASE("a sink that throws harms nobody") {
  SetSink([](const Record&) { throw std::runtime_error("no"); });
  Error("one");
  SetSink({});
}

TEST_CASE("levels are read by name") {
  CHECK(ParseLevel("debug", Level::kWarn) == Level::kDebug);
  CHECK(ParseLevel("off", Level::kWarn) == Level::kOff);
  CHECK(ParseLevel("loud", Level::kWarn) == Level::kWarn);
}

TEST_CASE("a limiter lets a burst pass, then one line an interval, and counts the rest") {
  Limiter limiter(2, 10s);
  CHECK(limiter.Allow(0s));
  CHECK(limiter.Allow(1s));
  CHECK_FALSE(limiter.Allow(2s));
  CHECK_FALSE(limiter.Allow(10s));
  CHECK(limiter.Allow(11s));
  CHECK(limiter.TakeDropped() == 2);
  CHECK(limiter.TakeDropped() == 0);
  CHECK_FALSE(limiter.Allow(20s));
  CHECK(limiter.Allow(21s));
}
