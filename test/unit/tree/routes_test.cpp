#include "core/tree/routes.h"

#include <catch2/catch.hpp>

namespace ote::tree {
namespace {

api::RouteEntry Entry(const std::string& name, std::int64_t epoch) {
  api::RouteEntry entry;
  entry.cluster.name = name;
  entry.cluster.status = api::ClusterStatus::kReady;
  entry.epoch = epoch;
  return entry;
}
api::RouteChange Whole(std::vector<api::RouteEntry> set, bool more = false) { return {true, more, std::move(set), {}}; }

TEST_CASE("routes are learned from children and forgotten when they say so") {
  Routes routes;
  CHECK(routes.Apply("r1", Whole({Entry("a", 1), Entry("b", 1)})).changed == std::vector<std::string>{"a", "b"});
  REQUIRE(routes.Find("a"));
  CHECK(routes.Find("a")->child == "r1");
  CHECK(routes.Apply("r1", {false, false, {}, {"a"}}).changed == std::vector<std::string>{"a"});
  CHECK_FALSE(routes.Find("a"));
  // Only the child that has it may give it up.
  CHECK(routes.Apply("r2", {false, false, {}, {"b"}}).changed.empty());
  CHECK(routes.Find("b"));
}

TEST_CASE("a whole list in several parts forgets what none of them names, and not before the last") {
  Routes routes;
  routes.Apply("r1", Whole({Entry("a", 1), Entry("b", 1), Entry("c", 1)}));
  routes.Apply("r1", Whole({Entry("a", 1)}, true));
  CHECK(routes.Find("b"));
  CHECK(routes.Find("c"));
  const auto effect = routes.Apply("r1", {false, false, {Entry("c", 1)}, {}});
  CHECK_FALSE(routes.Find("b"));
  CHECK(routes.Find("a"));
  CHECK(routes.Find("c"));
  CHECK(effect.changed == std::vector<std::string>{"c", "b"});
}

TEST_CASE("of two that claim a cluster the later connection has it, and the other is told") {
  Routes routes;
  routes.Apply("r1", Whole({Entry("a", 5)}));
  auto effect = routes.Apply("r2", Whole({Entry("a", 6)}));
  REQUIRE(effect.stale.size() == 1);
  CHECK(effect.stale[0].first == "r1");
  CHECK(effect.stale[0].second == api::Session{"a", 5});
  CHECK(routes.Find("a")->child == "r2");
  // What the first one still says of it does not win it back, though it came later.
  effect = routes.Apply("r1", {false, false, {Entry("a", 5)}, {}});
  CHECK(effect.changed.empty());
  REQUIRE(effect.stale.size() == 1);
  CHECK(effect.stale[0].first == "r1");
  CHECK(routes.Find("a")->child == "r2");
  // And its list without the cluster takes nothing from the second.
  routes.Apply("r1", Whole({}));
  CHECK(routes.Find("a")->child == "r2");
}

TEST_CASE("one that only remembers a cluster takes it from nobody, and has it when nobody else does") {
  Routes routes;
  auto away = Entry("a", 9);
  away.cluster.status = api::ClusterStatus::kUnreachable;
  routes.Apply("r1", Whole({away}));
  auto effect = routes.Apply("r2", Whole({Entry("a", 5)}));
  CHECK(effect.stale.empty());
  CHECK(routes.Find("a")->child == "r2");
  effect = routes.Apply("r1", {false, false, {away}, {}});
  CHECK((effect.stale.empty() && effect.changed.empty()));
  CHECK(routes.Find("a")->child == "r2");
}

TEST_CASE("when a child is lost its subtree is unknown, and whoever claims it has it") {
  Routes routes;
  routes.Apply("r1", Whole({Entry("a", 5), Entry("b", 5)}));
  CHECK(routes.Lose("r1").changed == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(routes.Find("a")->known);
  CHECK(routes.Lose("r1").changed.empty());
  // A restored edge counts from an earlier epoch: its old connection is lost, so it is believed.
  const auto effect = routes.Apply("r2", Whole({Entry("a", 5)}));
  CHECK(effect.stale.empty());
  CHECK(routes.Find("a")->child == "r2");
  routes.Apply("r1", Whole({Entry("b", 5)}));
  CHECK(routes.Find("b")->known);
  CHECK(routes.Forget("r1").changed == std::vector<std::string>{"b"});
}

api::RouteEntry On(const std::string& via, const std::string& name, std::int64_t epoch) {
  auto entry = Entry(name, epoch);
  entry.cluster.via = via;
  return entry;
}

TEST_CASE("what hangs on a cluster is where that is, whoever else still says that it has both") {
  Routes routes;
  routes.Apply("r1", Whole({On("r1", "a", 5)}));  // r1 is a child
  // r3 says what it heard of r2, which had r1 for a while and has not heard yet that it went home.
  const auto effect = routes.Apply("r3", Whole({On("r2", "r1", 3), On("r1", "a", 5), On("r3", "r2", 9)}));
  CHECK(routes.Find("r2")->child == "r3");
  // The caller knows that r1 is its own child; here only what is below counts.
  CHECK(routes.Find("a")->child == "r3");
  CHECK(effect.stale.empty());
}

TEST_CASE("a child keeps what hangs on it when another only repeats it") {
  Routes routes;
  routes.Apply("r1", Whole({On("r1", "a", 5)}));
  // Of r1 itself nothing is believed, since it is a child.
  routes.Apply("r3", Whole({On("r1", "a", 5), On("r3", "r2", 9)}));
  CHECK(routes.Find("a")->child == "r1");
  routes.Apply("r3", {false, false, {}, {"a"}});
  CHECK(routes.Find("a")->child == "r1");
}

TEST_CASE("a cluster that moves takes along what hangs on it, though that is told later") {
  Routes routes;
  routes.Apply("r1", Whole({On("r1", "m", 5), On("m", "x", 2), On("x", "y", 2)}));
  routes.Apply("r2", Whole({On("r2", "m", 6)}, true));
  for (const auto& name : {"m", "x", "y"}) CHECK(routes.Find(name)->child == "r2");
  // The old one gives up what it has no longer.
  routes.Apply("r1", {false, false, {}, {"m", "x", "y"}});
  CHECK(routes.Find("y"));
  routes.Apply("r2", {false, false, {On("m", "x", 2), On("x", "y", 2)}, {}});
  for (const auto& name : {"m", "x", "y"}) CHECK(routes.Find(name)->child == "r2");
}

TEST_CASE("one that comes as a direct child is below nobody else") {
  Routes routes;
  routes.Apply("r1", Whole({Entry("a", 5)}));
  const auto effect = routes.Adopt({"a", 9});
  REQUIRE(effect.stale.size() == 1);
  CHECK(effect.stale[0].second == api::Session{"a", 5});
  CHECK_FALSE(routes.Find("a"));
}

TEST_CASE("what is told up is whole first and then the changes, each once") {
  RouteFeed feed;
  CHECK_FALSE(feed.HasNews());
  feed.Begin({"a", "b", "c"});
  auto batch = feed.Take(2);
  CHECK((batch.whole && batch.more));
  CHECK(batch.names == std::vector<std::string>{"a", "b"});
  batch = feed.Take(2);
  CHECK_FALSE(batch.whole);
  CHECK_FALSE(batch.more);
  CHECK_FALSE(feed.HasNews());
  feed.Touch("b");
  feed.Touch("b");
  batch = feed.Take(10);
  CHECK(batch.names == std::vector<std::string>{"b"});
  CHECK_FALSE(batch.whole);
  // One without anybody below says so.
  feed.Begin({});
  CHECK(feed.HasNews());
  CHECK(feed.Take(10).whole);
}

}  // namespace
}  // namespace ote::tree
