#include "core/tree/alternates.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace ote::tree {
namespace {

api::ParentEntry Entry(const std::string& name) { return {name, {"tcp://" + name + ":7440"}, {}, 0}; }
std::vector<std::string> Names(const std::vector<api::ParentEntry>& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

TEST_CASE("a cluster goes to siblings of its parent first, then to the grandparent, then to its own siblings") {
  api::TreePlace above;
  above.path = {"hq"};
  above.self = Entry("hq");
  above.siblings = {Entry("r2"), Entry("r3")};
  const auto place = PlaceOf("a", above, Entry("r1"), {Entry("a"), Entry("b"), Entry("c"), Entry("d")});
  CHECK(place.path == std::vector<std::string>{"hq", "r1"});
  CHECK(place.self->name == "r1");
  CHECK(Names(place.siblings) == std::vector<std::string>{"b", "c", "d"});
  const auto ways = Alternates(place, "a");
  REQUIRE(ways.size() == 5);
  CHECK(std::set<std::string>{ways[0].name, ways[1].name} == std::set<std::string>{"r2", "r3"});
  CHECK(ways[2].name == "hq");
  for (std::size_t i = 1; i < ways.size(); ++i) CHECK(ways[i - 1].cost < ways[i].cost);
}

TEST_CASE("a way is given once, never to the cluster itself or to the parent that it is to replace") {
  api::TreePlace place;
  place.self = Entry("r1");
  place.grandparent = Entry("r2");
  place.uncles = {Entry("r2"), Entry("a"), Entry("r1")};
  place.siblings = {Entry("a"), Entry("r2"), {"deaf", {}, {}, 0}};
  CHECK(Names(Alternates(place, "a")) == std::vector<std::string>{"r2"});
}

TEST_CASE("children of one parent spread over its siblings, and the order of the candidates does not matter") {
  const std::vector<std::string> relays{"r1", "r2", "r3", "r4", "r5"};
  const std::vector<std::string> reversed(relays.rbegin(), relays.rend());
  std::map<std::string, int> first;
  for (int i = 0; i < 1000; ++i) {
    const auto who = "leaf-" + std::to_string(i);
    const auto meant = Meant(who, relays, 3);
    REQUIRE(meant.size() == 3);
    CHECK(meant == Meant(who, reversed, 3));
    ++first[meant[0]];
  }
  REQUIRE(first.size() == 5);
  for (const auto& [relay, count] : first) CHECK((count > 140 && count < 260));
  // One candidate less moves only those who had it.
  CHECK(Meant("leaf-7", {"r1", "r2"}, 3).size() == 2);
}

}  // namespace
}  // namespace ote::tree
