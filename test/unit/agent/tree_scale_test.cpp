// Hundreds of clusters in three tiers: all are there, each does what it is told once, and the loss of a relay is over
// within five heartbeats. test/bench/tree_bench.cpp does the same with ten thousand.
#include <catch2/catch.hpp>

#include "test/fake/big_tree.h"

namespace ote::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kRelays = 10;
constexpr int kEach = 30;

std::set<std::string> DoneAt(BigTree& big, const std::string& id) {
  std::set<std::string> done;
  for (const auto& outcome : big.Root().commands().OutcomesOf(id)) {
    if (outcome.phase == api::CommandPhase::kDone) done.insert(outcome.cluster);
  }
  return done;
}

// What the root shows of each is where that is.
void CheckShown(BigTree& big) {
  std::map<std::string, api::Cluster> shown;
  for (auto& cluster : big.Root().members().List()) shown.emplace(cluster.name, cluster);
  for (const auto& leaf : big.leaves) {
    const auto& cluster = shown.at(leaf->name());
    INFO(leaf->name());
    CHECK((cluster.status == api::ClusterStatus::kReady) == !leaf->Parent().empty());
    if (!leaf->Parent().empty()) CHECK(cluster.via == leaf->Parent());
  }
}

TEST_CASE("hundreds of clusters below ten relays are ready at the root, and each executes a command once") {
  BigTree big(kRelays, kEach);
  const std::size_t all = 1 + kRelays + kRelays * kEach;
  REQUIRE(big.Until([&] { return big.ReadyAtRoot() == all; }, seconds(30)));
  CheckShown(big);
  agent::CommandBus::Order order;
  order.verb = "test.run";
  const auto id = Must(big.Root().commands().Issue(order, big.LeafNames()));
  REQUIRE(big.Until([&] { return DoneAt(big, id).size() == big.leaves.size(); }, seconds(30)));
  for (const auto& leaf : big.leaves) CHECK(leaf->executed() == std::map<std::string, int>{{id, 1}});
}

TEST_CASE("when one of ten relays is lost its thirty children are ready elsewhere within five heartbeats") {
  BigTree big(kRelays, kEach);
  const std::size_t all = 1 + kRelays + kRelays * kEach;
  REQUIRE(big.Until([&] { return big.ReadyAtRoot() == all; }, seconds(30)));
  big.Pass(big.Heartbeat() * 2, seconds(1));
  const bool killed = GENERATE(true, false);
  const std::string lost = "r004";
  killed ? big.Kill(lost) : big.Freeze(lost);
  const auto took = big.Until(
      [&] {
        if (big.Root().members().Ready(lost)) return false;
        return big.ReadyAtRoot() == all - 1;
      },
      big.Heartbeat() * 5);
  REQUIRE(took);
  CHECK(*took <= big.Heartbeat() * 5);
  CheckShown(big);
  std::set<std::string> parents;
  for (const auto& leaf : big.leaves) {
    if (leaf->Home() != lost) continue;
    CHECK(leaf->Parent() != lost);
    parents.insert(leaf->Parent());
  }
  CHECK(parents.size() > kRelays / 2);
  // Commands find them where they are now.
  agent::CommandBus::Order order;
  order.verb = "test.run";
  const auto id = Must(big.Root().commands().Issue(order, big.LeafNames()));
  REQUIRE(big.Until([&] { return DoneAt(big, id).size() == big.leaves.size(); }, seconds(30)));
  for (const auto& leaf : big.leaves) CHECK(leaf->executed() == std::map<std::string, int>{{id, 1}});
}

}  // namespace
}  // namespace ote::test
