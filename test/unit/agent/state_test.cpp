#include <catch2/catch.hpp>

#include "core/api/cluster_view.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Tree;
namespace state = agent::state;

namespace {

agent::State& StateOf(Tree& tree, const std::string& name) { return tree.Node(name).state(); }
std::optional<Json> Seen(Tree& tree, const std::string& cluster, const std::string& app) {
  return StateOf(tree, "hq").Get(cluster, state::kApp, app);
}
Json Event(int n) { return {{"at", n}, {"kind", "started"}, {"subject", std::to_string(n)}}; }

// What reaches `to` of state.report, and how large the largest was.
struct Reports {
  explicit Reports(Tree& tree, const std::string& to = "hq") {
    tree.on_the_way = [this, to](const std::string& at, wire::Event& event) {
      if (at != to || event.envelope.verb != "state.report") return;
      if (event.envelope.kind != wire::MessageKind::kRequest) return;
      ++count;
      largest = std::max(largest, wire::EncodeHeader(event.envelope).size());
      for (const auto& source : event.envelope.body["sources"]) {
        things += source["set"].size();
        full = full || source["full"].get<bool>();
      }
    };
  }
  int count = 0;
  std::size_t things = 0;
  std::size_t largest = 0;
  bool full = false;
};

}  // namespace

TEST_CASE("what a cluster tells of itself is seen above, and its changes follow") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Pass(15s);  // heartbeats, which show how far the parent is
  std::vector<std::string> heard;
  StateOf(tree, "hq")
      .OnChange([&](const std::string& cluster, std::string_view kind, const std::string& name, const Json* value) {
        heard.push_back(cluster + " " + std::string(kind) + " " + name + " " + (value ? value->dump() : "gone"));
      });
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"phase", "pending"}});
  tree.Settle();
  CHECK(Seen(tree, "clinic-a", "web") == Json{{"phase", "pending"}});
  Reports reports(tree);
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"phase", "healthy"}});
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"phase", "healthy"}});
  tree.Settle();
  StateOf(tree, "clinic-a").Remove(state::kApp, "web");
  tree.Settle();
  CHECK_FALSE(Seen(tree, "clinic-a", "web"));
  CHECK(heard == std::vector<std::string>{"clinic-a app web {\"phase\":\"pending\"}",
                                          "clinic-a app web {\"phase\":\"healthy\"}", "clinic-a app web gone"});
  CHECK(reports.count == 2);
  CHECK_FALSE(reports.full);
  // Nothing changes, nothing is sent.
  tree.Pass(1min);
  CHECK(reports.count == 2);
}

TEST_CASE("a cluster's own state is on its own board, and two clusters with the same names inside are two") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  for (const auto* name : {"hq", "clinic-a", "clinic-b"}) StateOf(tree, name).Set(state::kApp, "web", {{"of", name}});
  tree.Settle();
  for (const auto* name : {"hq", "clinic-a", "clinic-b"}) CHECK(Seen(tree, name, "web") == Json{{"of", name}});
  CHECK(StateOf(tree, "clinic-a").List("clinic-b", state::kApp).empty());
  StateOf(tree, "clinic-a").Remove(state::kApp, "web");
  tree.Settle();
  CHECK_FALSE(Seen(tree, "clinic-a", "web"));
  CHECK(Seen(tree, "clinic-b", "web"));
}

TEST_CASE("after a cut line only what changed is told, each thing once") {
  Tree tree;
  tree.Join("clinic-a");
  for (int i = 0; i < 20; ++i) StateOf(tree, "clinic-a").Set(state::kApp, std::to_string(i), {{"n", 0}});
  tree.Pass(15s);  // heartbeats, which show how far the parent is
  tree.network.Cut(Tree::kRootEndpoint);
  tree.Pass(30s);
  const auto fresh = StateOf(tree, "hq").FreshAt("clinic-a");
  CHECK(fresh < tree.clock.WallNow() - 10'000);
  CHECK(fresh > tree.clock.WallNow() - 40'000);
  for (int i = 0; i < 500; ++i) StateOf(tree, "clinic-a").Set(state::kApp, std::to_string(i % 3), {{"n", i}});
  StateOf(tree, "clinic-a").Remove(state::kApp, "19");
  tree.Pass(30s);
  CHECK(Seen(tree, "clinic-a", "19"));  // known still, and not fresh
  Reports reports(tree);
  tree.network.Mend(Tree::kRootEndpoint);
  tree.Pass(30s);
  CHECK(StateOf(tree, "hq").FreshAt("clinic-a") == tree.clock.WallNow());
  CHECK(Seen(tree, "clinic-a", "1") == Json{{"n", 499}});
  CHECK_FALSE(Seen(tree, "clinic-a", "19"));
  CHECK(reports.things == 3);
  CHECK_FALSE(reports.full);
}

TEST_CASE("a restarted root knows what it knew, and that it is not fresh") {
  Tree tree;
  tree.Join("clinic-a");
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"n", 1}});
  tree.Pass(10s);
  tree.StopNode("clinic-a");
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.Pass(20s);
  CHECK(Seen(tree, "clinic-a", "web") == Json{{"n", 1}});
  CHECK(StateOf(tree, "hq").FreshAt("clinic-a") < tree.clock.WallNow());
  CHECK(StateOf(tree, "hq").FreshAt("clinic-a") > 0);
  Reports reports(tree);
  tree.StartNode("clinic-a");
  tree.Pass(20s);
  CHECK(StateOf(tree, "hq").FreshAt("clinic-a") == tree.clock.WallNow());
  CHECK(reports.things == 0);
}

TEST_CASE("a crash that loses the last writes of either side loses nothing of the state") {
  Tree tree;
  tree.Join("clinic-a");
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"n", 1}});
  tree.Pass(10s);
  const auto who = GENERATE(std::string("hq"), std::string("clinic-a"));
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"n", 2}});
  StateOf(tree, "clinic-a").Set(state::kApp, "db", {{"n", 2}});
  tree.Settle();
  CHECK(Seen(tree, "clinic-a", "db"));
  tree.StopNode(who);
  tree.StartNode(who);
  // What runs there tells it again.
  StateOf(tree, "clinic-a").Set(state::kApp, "db", {{"n", 3}});
  tree.Pass(20s);
  CHECK(Seen(tree, "clinic-a", "db") == Json{{"n", 3}});
  CHECK(Seen(tree, "clinic-a", "web") == StateOf(tree, "clinic-a").Get("clinic-a", state::kApp, "web"));
}

TEST_CASE("a restored edge does not freeze its mirror") {
  Tree tree;
  tree.Join("clinic-a");
  StateOf(tree, "clinic-a").Set(state::kApp, "old", {{"n", 1}});
  tree.Pass(10s);
  tree.StopNode("clinic-a");
  const auto copy = tree.scratch() / "copy";
  std::filesystem::copy(tree.Folder("clinic-a").path, copy, std::filesystem::copy_options::recursive);
  tree.StartNode("clinic-a");
  tree.Settle();
  for (int i = 0; i < 20; ++i) StateOf(tree, "clinic-a").Set(state::kApp, "new", {{"n", i}});
  tree.Pass(10s);
  CHECK(Seen(tree, "clinic-a", "new"));
  tree.StopNode("clinic-a");
  std::filesystem::remove_all(tree.Folder("clinic-a").path);
  std::filesystem::rename(copy, tree.Folder("clinic-a").path);
  tree.StartNode("clinic-a");
  tree.Pass(20s);
  CHECK_FALSE(Seen(tree, "clinic-a", "new"));
  CHECK(Seen(tree, "clinic-a", "old"));
  StateOf(tree, "clinic-a").Set(state::kApp, "old", {{"n", 2}});
  tree.Settle();
  CHECK(Seen(tree, "clinic-a", "old") == Json{{"n", 2}});
}

TEST_CASE("of events the newest hundred are kept, and those that made room are counted") {
  Tree tree;
  tree.Join("clinic-a");
  for (int i = 0; i < 130; ++i) StateOf(tree, "clinic-a").Set(state::kEvent, std::to_string(i), Event(i));
  tree.Settle();
  const auto events = StateOf(tree, "hq").List("clinic-a", state::kEvent);
  CHECK(events.size() == 100);
  CHECK_FALSE(events.contains("29"));
  CHECK(events.contains("30"));
  CHECK(StateOf(tree, "hq").EventsDropped("clinic-a") == 30);
  tree.Pass(10s);
  tree.StopNode("clinic-a");
  tree.StartNode("clinic-a");
  StateOf(tree, "clinic-a").Set(state::kEvent, "130", Event(130));
  tree.Pass(10s);
  CHECK(StateOf(tree, "hq").List("clinic-a", state::kEvent).size() == 100);
  CHECK_FALSE(StateOf(tree, "hq").List("clinic-a", state::kEvent).contains("30"));
}

TEST_CASE("a large state travels in messages of a bounded size") {
  Tree tree;
  tree.Join("clinic-a");
  Reports reports(tree);
  for (int i = 0; i < 60; ++i) {
    StateOf(tree, "clinic-a").Set(state::kApp, std::to_string(i), {{"text", std::string(20'000, 'x')}});
  }
  tree.Settle(60);
  CHECK(StateOf(tree, "hq").List("clinic-a", state::kApp).size() == 60);
  CHECK(reports.count >= 5);
  CHECK(reports.largest < 300'000);
}

TEST_CASE("the state of a removed member is forgotten") {
  Tree tree;
  tree.Join("clinic-a");
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"n", 1}});
  tree.Pass(10s);
  int gone = 0;
  StateOf(tree, "hq").OnChange([&](const std::string&, std::string_view kind, const std::string&, const Json* value) {
    gone += value == nullptr && kind == state::kApp ? 1 : 0;
  });
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  CHECK(gone == 1);
  CHECK_FALSE(Seen(tree, "clinic-a", "web"));
  CHECK(StateOf(tree, "hq").FreshAt("clinic-a") == 0);
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK_FALSE(Seen(tree, "clinic-a", "web"));
}

TEST_CASE("a cluster tells only of those below it") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  StateOf(tree, "clinic-b").Set(state::kApp, "web", {{"n", 1}});
  tree.Pass(5s);
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to != "hq" || event.envelope.verb != "state.report" || event.caller.name != "clinic-a") return;
    for (auto& source : event.envelope.body["sources"]) source["cluster"] = "clinic-b";
  };
  StateOf(tree, "clinic-a").Set(state::kApp, "web", {{"n", 2}});
  tree.Pass(20s);
  CHECK(Seen(tree, "clinic-b", "web") == Json{{"n", 1}});
  api::SourceReport report;
  report.cluster = "clinic-b";
  CHECK(StateOf(tree, "hq").Take("clinic-a", report).refused);
  report.cluster = "hq";
  CHECK(StateOf(tree, "hq").Take("clinic-a", report).refused);
  // Once its word arrives as it was sent, it is taken.
  tree.on_the_way = nullptr;
  tree.Pass(2min);
  CHECK(Seen(tree, "clinic-a", "web") == Json{{"n", 2}});
}

TEST_CASE("cluster.show tells what is known of one") {
  Tree tree;
  tree.Join("clinic-a", {{"region", "eu"}});
  api::ShimStatus shim;
  shim.shim = "process";
  shim.capacity.cpu_milli = 4000;
  api::AppStatus app;
  app.app = "web";
  app.phase = api::AppPhase::kHealthy;
  StateOf(tree, "clinic-a").Set(state::kShim, "", ToJson(shim));
  StateOf(tree, "clinic-a").Set(state::kApp, app.Key(), ToJson(app));
  StateOf(tree, "clinic-a").Set(state::kEvent, "1", Event(1));
  StateOf(tree, "clinic-a").Set(state::kEvent, "2", Event(2));
  StateOf(tree, "clinic-a").Set(state::kEvent, "3", {{"of another", "version"}});
  agent::CommandBus::Order order;
  order.verb = "test.unknown";
  Must(tree.Node("hq").commands().Issue(order, {"clinic-a"}));
  tree.Settle();
  const auto view = Must(tree.Ask<api::ClusterView>("hq", api::verb::kClusterShow, api::NameRequest{"clinic-a"}));
  CHECK(view.cluster.labels == api::Labels{{"region", "eu"}});
  REQUIRE(view.shim);
  CHECK(view.shim->capacity.cpu_milli == 4000);
  CHECK(view.apps == std::vector<api::AppStatus>{app});
  REQUIRE(view.events.size() == 2);
  CHECK(view.events[0].at == 2);
  CHECK(view.fresh_at == tree.clock.WallNow());
  CHECK(view.commands == std::map<std::string, std::int64_t>{{"failed", 1}});
  const auto none = tree.Ask<api::ClusterView>("hq", api::verb::kClusterShow, api::NameRequest{"nobody"});
  REQUIRE_FALSE(none);
  CHECK(none.error().id == ErrorId::kNotFound);
}
