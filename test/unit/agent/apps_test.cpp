#include "test/fake/apps.h"

#include <catch2/catch.hpp>

#include "crypto/digest.h"

using namespace ote;
using namespace std::chrono_literals;
using test::AppTree;
using test::Must;

namespace {

api::DeployRequest App(const std::string& command, api::OnFailure on_failure = api::OnFailure::kStop) {
  api::DeployRequest request;
  request.spec.name = "web";
  request.spec.workload.command = {command};
  request.spec.placement.selector = "region=eu";
  request.spec.rollout.max_unavailable_percent = 100;
  request.spec.rollout.health_ms = 30'000;
  request.spec.rollout.on_failure = on_failure;
  return request;
}
Result<api::AppView> Deploy(AppTree& tree, const api::DeployRequest& request, const std::string& at = "hq") {
  auto view = tree.Ask<api::AppView>(at, api::verb::kAppDeploy, request);
  tree.Run();
  return view;
}
api::AppView Show(AppTree& tree, const std::string& app = "web", const std::string& at = "hq") {
  return Must(tree.Ask<api::AppView>(at, api::verb::kAppShow, api::NameRequest{app}));
}
std::string Runs(AppTree& tree, const std::string& cluster, const std::string& key = "hq/web") {
  const auto& running = tree.World(cluster).running;
  const auto it = running.find(key);
  return it == running.end() ? "" : it->second.workload.command.at(0);
}
// Commands that begin with "bad" never become healthy.
api::AppPhase Fate(const api::Assignment& assignment) {
  return assignment.workload.command.at(0).starts_with("bad") ? api::AppPhase::kProgressing : api::AppPhase::kHealthy;
}
void TwoClusters(AppTree& tree) {
  for (const auto* name : {"a", "b"}) {
    tree.fates[name] = Fate;
    tree.Cluster(name, {{"region", "eu"}});
  }
}

}  // namespace

TEST_CASE("an app goes to the clusters that match, and the same again changes nothing") {
  AppTree tree;
  TwoClusters(tree);
  tree.Cluster("c", {{"region", "us"}});
  const auto first = Must(Deploy(tree, App("v1")));
  CHECK(first.revision == 1);
  CHECK_FALSE(first.already);
  const auto view = Show(tree);
  CHECK(view.phase == api::RolloutPhase::kDone);
  CHECK(view.counts == api::AppCounts{2, 2, 0, 0});
  CHECK(Runs(tree, "a") == "v1");
  CHECK(Runs(tree, "c").empty());
  const auto again = Must(Deploy(tree, App("v1")));
  CHECK(again.already);
  CHECK(again.revision == 1);
  CHECK(tree.World("a").starts["hq/web"] == 1);
  CHECK(Must(Deploy(tree, App("v2"))).revision == 2);
  CHECK(Runs(tree, "b") == "v2");
  // Back, as a new revision.
  const auto back = Must(tree.Ask<api::AppView>("hq", api::verb::kAppRollback, api::RollbackRequest{"web", 0, {}}));
  tree.Run();
  CHECK(back.revision == 3);
  CHECK(Runs(tree, "a") == "v1");
  CHECK(Show(tree).revisions.at(2).note == "rollback to 1");
}

TEST_CASE("the same request id with another file is a conflict") {
  AppTree tree;
  TwoClusters(tree);
  auto request = App("v1");
  request.request_id = "r1";
  Must(Deploy(tree, request));
  CHECK(Must(Deploy(tree, request)).already);
  request.spec.workload.command = {"v2"};
  const auto other = Deploy(tree, request);
  REQUIRE_FALSE(other);
  CHECK(other.error().id == ErrorId::kConflict);
}

TEST_CASE("an app that nobody can have is refused, and the plan says why") {
  AppTree tree;
  TwoClusters(tree);
  auto request = App("v1");
  request.spec.workload.resources.cpu_milli = 100'000;
  const auto refused = Deploy(tree, request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kPlacementImpossible);
  const auto plan = Must(tree.Ask<api::AppPlan>("hq", api::verb::kAppPlan, request));
  CHECK(plan.chosen == 0);
  bool found = false;
  for (const auto& item : plan.items) {
    for (const auto& why : item.against) found = found || why == "cpu (m): 100000 wanted, 4000 free";
  }
  CHECK(found);
  request.spec.placement = {};
  const auto nobody = Deploy(tree, request);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().id == ErrorId::kSelectorEmpty);
}

TEST_CASE("a revision that does not get healthy stops, or goes back by itself when it was asked to") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  Must(Deploy(tree, App("bad")));
  tree.Pass(35s);
  tree.Run();
  CHECK(Show(tree).phase == api::RolloutPhase::kStopped);
  CHECK(Runs(tree, "a") == "bad");
  Must(Deploy(tree, App("v3")));
  REQUIRE(Show(tree).phase == api::RolloutPhase::kDone);
  Must(Deploy(tree, App("bad4", api::OnFailure::kRollback)));
  tree.Pass(35s);
  tree.Run();
  const auto view = Show(tree);
  CHECK(view.Find(4)->outcome == api::RevisionOutcome::kRolledBack);
  CHECK(view.revision == 5);
  CHECK(view.phase == api::RolloutPhase::kDone);
  CHECK(Runs(tree, "a") == "v3");
  CHECK(Runs(tree, "b") == "v3");
}

TEST_CASE("a cluster that is away is pending, and catches up when it returns") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  tree.Cut("b");
  tree.Pass(20s);
  Must(Deploy(tree, App("v2")));
  auto view = Show(tree);
  CHECK(view.phase == api::RolloutPhase::kDone);
  CHECK(view.counts == api::AppCounts{2, 1, 1, 0});
  CHECK(Runs(tree, "b") == "v1");
  tree.Mend("b");
  view = Show(tree);
  CHECK(view.counts == api::AppCounts{2, 2, 0, 0});
  CHECK(Runs(tree, "b") == "v2");
}

TEST_CASE("with the line cut, a cluster goes back by itself and survives being killed") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppDeploy, App("bad2", api::OnFailure::kRollback)));
  tree.post.Deliver();  // it has it, and the line is cut
  tree.post.Deliver();
  tree.Cut("a");
  tree.Alone("a");
  REQUIRE(Runs(tree, "a") == "bad2");
  tree.Kill("a");
  tree.clock.Advance(40s);
  // No settling with the tree: the agent starts alone.
  tree.Revive("a");
  tree.Alone("a");
  tree.clock.Advance(1s);
  tree.Alone("a");
  CHECK(Runs(tree, "a") == "v1");
  const auto told = Must(FromWire<api::AppStatus>(tree.Told("a", "hq/web")));
  CHECK(told.rolled_back_from == 2);
  CHECK(told.revision == 1);
  CHECK(told.phase == api::AppPhase::kHealthy);
  tree.Kill("a");
  tree.Revive("a");
  tree.Alone("a");
  CHECK(Runs(tree, "a") == "v1");
  // Both sides agree once the line is back.
  tree.Mend("a");
  tree.Pass(40s);
  tree.Run();
  const auto view = Show(tree);
  CHECK(view.Find(2)->outcome == api::RevisionOutcome::kRolledBack);
  CHECK(view.phase == api::RolloutPhase::kDone);
  CHECK(view.counts == api::AppCounts{2, 2, 0, 0});
  CHECK(Runs(tree, "b") == "v1");
}

TEST_CASE("an operator on the cluster sets an app aside, until the tier above deploys a newer revision") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  Must(Deploy(tree, App("v2")));
  Must(tree.Ask<api::AppView>("a", api::verb::kAppRollback, api::RollbackRequest{"hq/web", 1, {}}));
  tree.Run();
  CHECK(Runs(tree, "a") == "v1");
  const auto site = [&] {
    for (const auto& one : Show(tree).clusters) {
      if (one.cluster == "a") return one;
    }
    throw std::runtime_error("a");
  };
  CHECK(site().phase == api::SitePhase::kOverridden);
  CHECK_FALSE(site().status->overridden_by.empty());
  CHECK(site().status->wanted_revision == 2);
  // Stopped, and another workload.
  Must(tree.Ask<api::AppView>("a", api::verb::kAppRemove, api::AppTarget{"web", {}, {}}));
  tree.Run();
  CHECK(Runs(tree, "a").empty());
  auto mine = App("mine");
  mine.over = "hq/web";
  Must(Deploy(tree, mine, "a"));
  CHECK(Runs(tree, "a") == "mine");
  CHECK(Runs(tree, "b") == "v2");
  tree.Kill("a");
  tree.Revive("a");
  CHECK(Runs(tree, "a") == "mine");
  Must(Deploy(tree, App("v3")));
  CHECK(Runs(tree, "a") == "v3");
  const auto history = Show(tree, "hq/web", "a").history;
  std::string all;
  for (const auto& change : history) all += change.what + "\n";
  CHECK(all == "set\nset\noverridden\noverridden\noverridden\noverride ended\nset\n");
  CHECK(site().phase == api::SitePhase::kHealthy);
}

TEST_CASE("an agent that was killed in the middle of a rollout carries on, and nothing is done twice") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  auto next = App("v2");
  next.spec.rollout.max_unavailable = 1;
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppDeploy, next));
  tree.Kill("hq");
  tree.post.Deliver();
  tree.Revive("hq");
  tree.Pass(20s);
  tree.Run();
  CHECK(Show(tree).phase == api::RolloutPhase::kDone);
  CHECK(Show(tree).counts == api::AppCounts{2, 2, 0, 0});
  CHECK(Runs(tree, "a") == "v2");
  CHECK(Runs(tree, "b") == "v2");
  CHECK(tree.World("a").starts["hq/web"] == 2);
  CHECK(tree.World("b").starts["hq/web"] == 2);
}

TEST_CASE("a number of clusters: one that is drained or lost for the set time is replaced") {
  AppTree tree;
  TwoClusters(tree);
  tree.Cluster("c", {{"region", "eu"}});
  auto request = App("v1");
  request.spec.placement.replicas = 1;
  request.spec.replace_after_ms = 60'000;
  Must(Deploy(tree, request));
  const auto where = [&] {
    std::vector<std::string> all;
    for (const auto* name : {"a", "b", "c"}) {
      if (!Runs(tree, name).empty()) all.emplace_back(name);
    }
    return all;
  };
  REQUIRE(where().size() == 1);
  const auto first = where()[0];
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterCordon, api::CordonRequest{first, true, false}));
  tree.Run();
  CHECK(where() == std::vector<std::string>{first});
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterCordon, api::CordonRequest{first, true, true}));
  tree.Run();
  REQUIRE(where().size() == 1);
  const auto second = where()[0];
  CHECK(second != first);
  tree.Cut(second);
  tree.Pass(40s);
  tree.Run();
  CHECK(where().size() == 1);  // not yet
  tree.Pass(40s);
  tree.Run();
  CHECK(where().size() == 2);  // the lost one goes on, nobody can tell it otherwise
  tree.Mend(second);
  REQUIRE(where().size() == 1);
  CHECK(where()[0] != second);
}

TEST_CASE("files are fetched and verified before an app is given to the shim, and kept as long as it may need them") {
  AppTree tree;
  TwoClusters(tree);
  const std::string text = "<h1>hello</h1>";
  const auto digest = Must(tree.Node("hq").context().artifacts.Put(AsBytes(text))).ToString();
  auto request = App("v1");
  request.spec.workload.files.push_back({"index.html", digest, std::ssize(text), 0644, false});
  Must(Deploy(tree, request));
  CHECK(tree.Node("a").context().artifacts.Has(digest));
  CHECK(tree.At("a").site->Needed().contains(digest));
  CHECK(tree.At("hq").apps->Needed().contains(digest));
  CHECK(tree.grants["a " + digest] == 1);
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppRemove, api::AppTarget{"web", {}, {}}));
  tree.Run();
  CHECK(Runs(tree, "a").empty());
  CHECK(tree.grants["a " + digest] == 0);
  CHECK(tree.At("a").site->Needed().empty());
  CHECK_FALSE(tree.Ask<api::AppView>("hq", api::verb::kAppShow, api::NameRequest{"web"}));
  // One that was not put is refused at once.
  request.spec.workload.files[0].digest = crypto::DigestOf(AsBytes("another")).ToString();
  const auto refused = Deploy(tree, request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kArtifactMissing);
}

TEST_CASE("what a shim refuses stops the rollout with its words") {
  AppTree tree;
  TwoClusters(tree);
  tree.At("a").shim->refuses = "no bubblewrap";
  Must(Deploy(tree, App("v1")));
  const auto view = Show(tree);
  CHECK(view.phase == api::RolloutPhase::kStopped);
  CHECK(view.message == "a: no bubblewrap");
}

TEST_CASE("a diff has the spec's and each cluster's, without secrets") {
  AppTree tree;
  TwoClusters(tree);
  auto request = App("v1");
  request.spec.workload.env["KEY"] = "hunter2";
  request.spec.workload.secret_env = {"KEY"};
  Must(Deploy(tree, request));
  request.spec.workload.command = {"v2"};
  request.spec.workload.env["KEY"] = "hunter3";
  auto client = tree.Operator("hq");
  tree.on_the_way = [&](const std::string&, wire::Event& event) {
    if (event.envelope.verb == api::verb::kAppDiff) {
      tree.Node("hq").context().post([&] { tree.post.Deliver(); });
    }
  };
  const auto diff = Must(client.Ask<api::AppDiff>(api::verb::kAppDiff, request, 5s));
  CHECK(diff.spec.find("+ ") != std::string::npos);
  CHECK(diff.spec.find("hunter") == std::string::npos);
  REQUIRE(diff.clusters.size() == 2);
  CHECK(DumpJson(ToJson(Show(tree))).find("hunter") == std::string::npos);
}

TEST_CASE("logs come from each cluster, and a reader that goes away leaves nothing behind") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  for (int i = 0; i < 500; ++i) tree.World("a").lines.push_back(fmt::format("line {}", i));
  api::AppLogsRequest request;
  request.app = "web";
  request.cluster = "a";
  request.tail = 450;
  std::vector<std::string> lines;
  {
    auto client = tree.Operator("hq");
    Must(client.Stream(api::verb::kAppLogs, ToJson(request), 5s, [&](wire::Envelope&& item) -> Result<void> {
      const auto line = Must(FromWire<api::AppLogLine>(item.body));
      CHECK(line.cluster == "a");
      lines.push_back(line.text);
      tree.clock.Advance(20ms);
      return {};
    }));
  }
  REQUIRE(lines.size() == 450);
  CHECK(lines.front() == "line 50");
  CHECK(lines.back() == "line 499");
  CHECK(tree.At("a").logs->Readers() == 0);

  request.follow = true;
  request.tail = 1;
  // Time passes while the reader waits.
  const auto ticks = std::make_shared<bool>(true);  // the tree may ask once more when this has returned
  tree.Hold("the clock", [&tree, ticks] {
    if (*ticks) tree.clock.Advance(10ms);
    return !*ticks;
  });
  lines.clear();
  {
    auto client = tree.Operator("hq");
    const auto ended =
        client.Stream(api::verb::kAppLogs, ToJson(request), 5s, [&](wire::Envelope&& item) -> Result<void> {
          lines.push_back(Must(FromWire<api::AppLogLine>(item.body)).text);
          if (lines.size() == 1) tree.At("a").shim->Print("more");
          tree.clock.Advance(100ms);
          if (lines.size() == 2) return Fail(ErrorId::kInterrupted, "enough");
          return {};
        });
    CHECK_FALSE(ended);
  }
  *ticks = false;
  CHECK(lines == std::vector<std::string>{"line 499", "more"});
  CHECK(tree.At("a").logs->Readers() == 1);
  tree.Pass(150s);
  CHECK(tree.At("a").logs->Readers() == 0);
  CHECK(tree.At("a").shim->cancelled == 1);
}

namespace {

// hq > r1 > r2 > leaf, which has the app.
void Behind(AppTree& tree) {
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("r1", "r2", true);
  tree.ClusterAt("r2", "leaf", {{"region", "eu"}});
  tree.Pass(10s);
  Must(Deploy(tree, App("v1")));
  tree.World("leaf").lines = {"one"};
}
// Reads the log of the app until `enough`, which is asked after each line.
Result<wire::Envelope> Follow(AppTree& tree, wire::Client& client, const std::function<bool()>& enough) {
  api::AppLogsRequest request;
  request.app = "web";
  request.follow = true;
  const auto ticks = std::make_shared<bool>(true);  // the tree may ask once more when this has returned
  tree.Hold("the clock", [&tree, ticks] {
    if (*ticks) tree.clock.Advance(10ms);
    return !*ticks;
  });
  auto ended = client.Stream(api::verb::kAppLogs, ToJson(request), 5s, [&](wire::Envelope&&) -> Result<void> {
    if (enough()) return Fail(ErrorId::kInterrupted, "enough");
    return {};
  });
  *ticks = false;
  return ended;
}

}  // namespace

TEST_CASE("a reader who stops ends the following at its source, tiers below, without time passing") {
  AppTree tree;
  Behind(tree);
  auto client = tree.Operator("hq");
  CHECK_FALSE(Follow(tree, client, [] { return true; }));
  CHECK(tree.At("leaf").logs->Readers() == 1);
  tree.Settle(20);
  CHECK(tree.At("leaf").logs->Readers() == 0);
  CHECK(tree.At("leaf").shim->cancelled == 1);
}

TEST_CASE("a reader who stops between two questions to the source ends the following too") {
  AppTree tree;
  Behind(tree);
  auto client = tree.Operator("hq");
  // The question that is held is answered, and the next one not asked yet, when the reader stops.
  CHECK_FALSE(Follow(tree, client, [&, n = 0]() mutable {
    if (++n == 1) tree.At("leaf").shim->Print("two");
    return n == 2;
  }));
  tree.Settle(20);
  CHECK(tree.At("leaf").logs->Readers() == 0);
}

TEST_CASE("a reader whose connection is lost without a word ends the following within seconds") {
  AppTree tree;
  Behind(tree);
  {
    auto client = tree.Operator("hq");
    // As if the cancel were lost with the line.
    tree.on_the_way = [](const std::string&, wire::Event& event) {
      if (event.envelope.verb == "call.cancel" && event.caller.kind == wire::CallerKind::kOperator) {
        event.envelope.body = Json::object();
      }
    };
    CHECK_FALSE(Follow(tree, client, [] { return true; }));
  }
  tree.Settle(20);
  tree.on_the_way = {};
  CHECK(tree.At("leaf").logs->Readers() == 1);
  tree.Pass(agent::LogDesk::kProbe + 1s);
  CHECK(tree.At("leaf").logs->Readers() == 0);
}

TEST_CASE("when a relay in between is lost the following ends at the source and the reader is told") {
  AppTree tree;
  Behind(tree);
  auto client = tree.Operator("hq");
  const auto ended = Follow(tree, client, [&] {
    tree.StopNode("r1");
    tree.clock.Advance(15s);
    return false;
  });
  REQUIRE_FALSE(ended);
  CHECK(ended.error().id != ErrorId::kTimedOut);
  tree.Pass(2s);
  CHECK(tree.At("leaf").logs->Readers() == 0);
}

TEST_CASE("one who watches an app and goes is forgotten at once") {
  AppTree tree;
  TwoClusters(tree);
  Must(Deploy(tree, App("v1")));
  auto client = tree.Operator("hq");
  CHECK_FALSE(client.Stream(api::verb::kAppWatch, ToJson(api::NameRequest{"web"}), 5s,
                            [](wire::Envelope&&) -> Result<void> { return Fail(ErrorId::kInterrupted, "enough"); }));
  CHECK(tree.At("hq").apps->Watchers() == 1);
  tree.Settle();
  CHECK(tree.At("hq").apps->Watchers() == 0);
}
