// What operators with a scope see of the tree and of apps, and what they do to them.
#include <catch2/catch.hpp>

#include "core/api/page.h"
#include "test/fake/someone.h"

using namespace ote;
using namespace std::chrono_literals;
using api::OperatorRole;
using test::Must;
using test::Refusal;
using test::Someone;
using test::Tree;

namespace {

namespace verb = api::verb;


}  // namespace

TEST_CASE("an operator with a scope sees the tree in it, and by their names alone those that it hangs on") {
  Tree tree;
  tree.JoinAt("hq", "r1", true, {{"region", "us"}});
  tree.JoinAt("hq", "r2", true, {{"region", "us"}});
  tree.JoinAt("r1", "inside", false, {{"region", "eu"}});
  tree.JoinAt("r1", "outside", false, {{"region", "us"}});
  tree.JoinAt("r2", "other", false, {{"region", "us"}});
  tree.Pass(6s);
  Someone kim(tree, "kim", OperatorRole::kViewer, "region=eu");
  for (const std::int64_t limit : {0, 1000}) {
    const auto view = Must(kim.Ask<api::TreePage>(verb::kClusterTree, api::PageQuery{{}, limit}));
    std::vector<std::string> names;
    for (const auto& item : view.items) names.push_back(item.cluster.name);
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"hq", "inside", "r1"});
    CHECK(view.context == std::vector<std::string>{"hq", "r1"});
    for (const auto& item : view.items) {
      const bool inside = item.cluster.name == "inside";
      CHECK(item.cluster.labels.contains("region") == inside);
      CHECK((item.cluster.last_seen != 0) == inside);
      CHECK(item.via == (inside ? "r1" : item.cluster.name == "r1" ? "hq" : ""));
    }
  }
}

TEST_CASE("a page of an operator with a scope is full of what is in it, and names nobody else") {
  Tree tree;
  for (const auto* name : {"a", "b", "c", "d"}) {
    tree.Join(name, {{"region", *name == 'a' || *name == 'd' ? "eu" : "us"}});
  }
  Someone kim(tree, "kim", OperatorRole::kViewer, "region=eu");
  const auto first = Must(kim.Ask<api::ClusterPage>(verb::kClusterList, api::PageQuery{{}, 1}));
  REQUIRE(first.items.size() == 1);
  CHECK(first.items[0].name == "a");
  CHECK(first.next == "a");
  const auto second = Must(kim.Ask<api::ClusterPage>(verb::kClusterList, api::PageQuery{"a", 1}));
  REQUIRE(second.items.size() == 1);
  CHECK(second.items[0].name == "d");
  CHECK_FALSE(second.next);
}
