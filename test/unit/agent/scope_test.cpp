// What operators with a scope see of the tree and of apps, and what they do to them.
#include <catch2/catch.hpp>

#include "agent/access/rules.h"
#include "core/api/capacity.h"
#include "core/api/page.h"
#include "test/fake/someone.h"
#include "test/unit/api/operator_samples.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::Authorise;
using agent::RuleOf;
using agent::Target;
using api::OperatorRole;
using test::Must;
using test::Named;
using test::Refusal;
using test::Someone;
using test::Tree;

namespace {

namespace verb = api::verb;

const Target kEu{"clinic-a", {{"region", "eu"}}, true};
const Target kUs{"clinic-b", {{"region", "us"}}, true};

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

TEST_CASE("what changes an app as a whole takes a scope with all of its clusters, what acts on each does not") {
  const auto kim = Named("kim", 1, OperatorRole::kOperator, "region=eu");
  for (const auto what : {verb::kAppRollback, verb::kAppRemove}) {
    CHECK(Authorise(what, RuleOf(what), kim, {kEu}));
    const auto refused = Authorise(what, RuleOf(what), kim, {kEu, kUs});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().id == ErrorId::kOutOfScope);
    CHECK_THAT(refused.error().message, Catch::Contains("2 clusters, 1 of which"));
    CHECK_THAT(refused.error().hint, Catch::Contains("ote app restart"));
  }
  CHECK(Authorise(verb::kAppRestart, RuleOf(verb::kAppRestart), kim, {kEu, kUs}));
  CHECK(Refusal(Authorise(verb::kAppRestart, RuleOf(verb::kAppRestart), kim, {kUs})) == ErrorId::kOutOfScope);
}

TEST_CASE("an operator with a scope restarts an app on the clusters in it, is told so, and changes it nowhere else") {
  Tree tree;
  for (const auto* region : {"eu", "us"}) {
    tree.Join(region, {{"region", region}});
    api::ShimStatus shim;
    shim.shim = "fake";
    shim.capacity.cpu_milli = 4000;
    shim.capacity.memory = 8LL << 30;
    tree.Node(region).state().Set(agent::state::kShim, "", ToJson(shim));
  }
  tree.Pass(6s);
  api::DeployRequest deploy;
  deploy.spec.name = "web";
  deploy.spec.workload.command = {"serve"};
  deploy.spec.placement.selector = "region exists";
  deploy.spec.rollout.max_unavailable_percent = 100;
  Must(tree.Ask<api::AppView>("hq", verb::kAppDeploy, deploy));
  tree.Pass(2s);
  Someone kim(tree, "kim", OperatorRole::kOperator, "region=eu");
  const auto done = Must(kim.Ask<api::AppView>(verb::kAppRestart, api::AppTarget{"web", {}, {}}));
  REQUIRE(done.share);
  CHECK(done.share->in_scope == 1);
  CHECK(done.share->of == 2);
  CHECK(done.share->who == "kim");
  std::vector<std::string> told;
  for (const auto& view : Must(tree.Ask<api::CommandList>("hq", verb::kClusterCommands, api::CommandQuery{})).items) {
    if (view.verb != "app.restart") continue;
    for (const auto& outcome : tree.Node("hq").commands().OutcomesOf(view.id)) told.push_back(outcome.cluster);
  }
  CHECK(told == std::vector<std::string>{"eu"});
  CHECK(Refusal(kim.Ask(verb::kAppRestart, api::AppTarget{"web", {"us"}, {}})) == ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kAppRollback, api::RollbackRequest{"web", 0, {}})) == ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kAppRemove, api::AppTarget{"web", {}, {}})) == ErrorId::kOutOfScope);
  for (const std::int64_t limit : {0, 1000}) {
    const auto shown = Must(kim.Ask<api::AppView>(verb::kAppShow, api::AppShowRequest{"web", {}, limit}));
    REQUIRE(shown.clusters.size() == 1);
    CHECK(shown.clusters[0].cluster == "eu");
    REQUIRE(shown.share);
    CHECK(shown.share->of == 2);
  }
  // Who sees all gets all, in pages too.
  const auto page = [&](const std::string& after) {
    return Must(tree.Ask<api::AppView>("hq", verb::kAppShow, api::AppShowRequest{"web", after, 1}));
  };
  const auto first = page("");
  REQUIRE(first.clusters.size() == 1);
  CHECK(first.clusters[0].cluster == "eu");
  CHECK(first.next == "eu");
  CHECK(first.spec);
  CHECK_FALSE(first.share);
  const auto second = page("eu");
  REQUIRE(second.clusters.size() == 1);
  CHECK(second.clusters[0].cluster == "us");
  CHECK_FALSE(second.next);
  CHECK_FALSE(second.spec);
  // Whose scope covers all of it may change it.
  Someone zoe(tree, "zoe", OperatorRole::kOperator, "region in (eu,us)");
  CHECK(Refusal(zoe.Ask(verb::kAppRollback, api::RollbackRequest{"web", 0, {}})) == ErrorId::kRevisionUnknown);
  CHECK(zoe.Ask(verb::kAppRemove, api::AppTarget{"web", {}, {}}));
}
