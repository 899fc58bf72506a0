// Hundreds of clusters in three tiers: all are there, each does what it is told once, and the loss of a relay is over
// within five heartbeats. test/bench/tree_bench.cpp does the same with ten thousand.
#include <catch2/catch.hpp>

#include "core/api/page.h"
#include "core/tree/outline.h"
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

// A root that knows 10,000 others, none of which runs.
struct Thousands {
  Thousands() : big(10, 999) {
    for (const auto& relay : big.relays()) big.Kill(relay);
    for (const auto& cluster : big.Root().members().List()) all.insert(cluster.name);
  }
  // What pages of `verb` show, with `between` done after each.
  template <class Page, class Name>
  std::vector<std::string> Gather(std::string_view verb, Name name, const std::function<void(int page)>& between) {
    auto client = big.tree.Operator("hq");
    std::vector<std::string> shown;
    api::PageQuery query{{}, 1'000};
    for (int n = 0;; ++n) {
      const auto page = Must(client.Ask<Page>(verb, query, seconds(5)));
      CHECK(page.items.size() <= 1'000);
      for (const auto& item : page.items) shown.push_back(name(item));
      if (!page.next) return shown;
      query.after = *page.next;
      between(n);
    }
  }
  // After each page one comes and one goes, both among those that were shown and among those that were not.
  void ComeAndGo(int page) {
    if (page > 7) return;
    auto& members = big.Root().members();
    for (const auto* prefix : {"a-new", "z-new"}) {
      api::Cluster cluster;
      cluster.name = fmt::format("{}-{}", prefix, page);
      Must(members.Admit(cluster));
    }
    late.insert(fmt::format("z-new-{}", page));
    Must(members.Drop(fmt::format("r000-{:03}", page)));
    const auto ahead = fmt::format("r009-{:03}", 998 - page);
    Must(members.Drop(ahead));
    all.erase(ahead);
  }
  BigTree big;
  std::set<std::string> all;
  std::set<std::string> late;
};

// Who was there all the while is shown once, in order; who came later and behind what was shown, too.
void CheckOrder(const Thousands& thousands, const std::vector<std::string>& shown) {
  CHECK(std::adjacent_find(shown.begin(), shown.end(), std::greater_equal<>()) == shown.end());
  auto expected = thousands.all;
  expected.insert(thousands.late.begin(), thousands.late.end());
  std::vector<std::string> wrong;
  std::set_symmetric_difference(shown.begin(), shown.end(), expected.begin(), expected.end(),
                                std::back_inserter(wrong));
  CHECK(wrong == std::vector<std::string>());
}

TEST_CASE("10,001 clusters are listed in pages, in order and none twice, while some come and go") {
  Thousands thousands;
  REQUIRE(thousands.all.size() == 10'001);
  const auto listed = thousands.Gather<api::ClusterPage>(
      api::verb::kClusterList, [](const api::Cluster& cluster) { return cluster.name; },
      [&](int page) { thousands.ComeAndGo(page); });
  CheckOrder(thousands, listed);
}

TEST_CASE("a tree of 10,001 clusters is told in pages and drawn as one, while some come and go") {
  Thousands thousands;
  std::vector<api::TreeNode> nodes;
  const auto named = thousands.Gather<api::TreePage>(
      api::verb::kClusterTree,
      [&](const api::TreeNode& node) {
        nodes.push_back(node);
        return node.cluster.name;
      },
      [&](int page) { thousands.ComeAndGo(page); });
  CheckOrder(thousands, named);
  const auto drawn = tree::Outline("hq", nodes);
  REQUIRE(drawn.size() == nodes.size());
  CHECK(drawn.front().cluster.name == "hq");
  std::string above;
  for (const auto& node : drawn) {
    if (node.depth == 1) above = node.cluster.name;
    if (node.depth == 2 && node.via != above) FAIL(node.cluster.name + " is drawn below " + above);
  }
}

TEST_CASE("one who asks for all of 10,001 clusters in one answer is told that they do not fit") {
  Thousands thousands;
  for (const auto verb : {api::verb::kClusterList, api::verb::kClusterTree}) {
    const auto answer = thousands.big.tree.Ask<api::ClusterList>("hq", verb, api::Empty{});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().id == ErrorId::kFailed);
    CHECK_THAT(answer.error().message, Catch::Contains("too large for one message"));
    CHECK_THAT(answer.error().hint, Catch::Contains("pages"));
  }
}

}  // namespace
}  // namespace ote::test
