#include <catch2/catch.hpp>

#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::CommandBus;
using api::CommandPhase;
using test::Must;
using test::Tree;

namespace {

CommandBus::Order Work(std::chrono::milliseconds ttl = 1h) {
  CommandBus::Order order;
  order.verb = "test.work";
  order.body = {{"n", 1}};
  order.by = "local";
  order.ttl = ttl;
  return order;
}

// What `node` executes is noted here, and answered with its count.
struct Worker {
  std::vector<Json> bodies;
  void On(agent::Node& node, bool repeatable = false) {
    node.commands().Handle("test.work", repeatable, [this](const api::Command& command, const CommandBus::Done& done) {
      bodies.push_back(command.body);
      done(Json{{"count", bodies.size()}});
    });
  }
};
// Begins, and never ends.
struct Stuck {
  int begun = 0;
  std::vector<CommandBus::Done> dones;
  void On(agent::Node& node, bool repeatable) {
    node.commands().Handle("test.work", repeatable, [this](const api::Command&, CommandBus::Done done) {
      ++begun;
      dones.push_back(std::move(done));
    });
  }
};

api::CommandOutcome At(Tree& tree, const std::string& id, const std::string& cluster) {
  for (auto& outcome : tree.Node("hq").commands().OutcomesOf(id)) {
    if (outcome.cluster == cluster) return outcome;
  }
  throw std::runtime_error("no outcome of " + id + " for " + cluster);
}
CommandPhase PhaseAt(Tree& tree, const std::string& id, const std::string& cluster = "clinic-a") {
  return At(tree, id, cluster).phase;
}
agent::Commands& Hq(Tree& tree) { return tree.Node("hq").commands(); }

}  // namespace

TEST_CASE("a command is executed where it was sent and its outcome comes back") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  Worker a, b;
  a.On(tree.Node("clinic-a"));
  b.On(tree.Node("clinic-b"));
  std::vector<CommandPhase> seen;
  Hq(tree).OnOutcome([&](const api::CommandOutcome& outcome) {
    if (outcome.cluster == "clinic-a") seen.push_back(outcome.phase);
  });
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a", "clinic-b"}));
  CHECK(PhaseAt(tree, id) == CommandPhase::kSent);
  tree.Settle();
  CHECK(a.bodies == std::vector<Json>{{{"n", 1}}});
  CHECK(b.bodies.size() == 1);
  CHECK(PhaseAt(tree, id) == CommandPhase::kDone);
  CHECK(At(tree, id, "clinic-b").result == Json{{"count", 1}});
  CHECK(seen.front() == CommandPhase::kSent);
  CHECK(seen.back() == CommandPhase::kDone);
  const auto list = Must(tree.Ask<api::CommandList>("hq", api::verb::kClusterCommands, api::CommandQuery{}));
  REQUIRE(list.items.size() == 1);
  CHECK(list.items[0].by == "local");
  CHECK(list.items[0].phases == std::map<std::string, std::int64_t>{{"done", 2}});
  const auto there =
      Must(tree.Ask<api::CommandList>("clinic-a", api::verb::kClusterCommands, api::CommandQuery{id, {}, 100, 0, {}}));
  REQUIRE(there.items.size() == 1);
  CHECK(there.items[0].outcomes.at(0).phase == CommandPhase::kDone);
}

TEST_CASE("a command that fails says why") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Node("clinic-a").commands().Handle("test.work", false, [](const api::Command&, const CommandBus::Done& done) {
    done(Fail(ErrorId::kShimFailed, "it broke", "mend it"));
  });
  auto other = Work();
  other.verb = "test.unknown";
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  const auto unknown = Must(Hq(tree).Issue(other, {"clinic-a"}));
  tree.Settle(16);
  CHECK(PhaseAt(tree, id) == CommandPhase::kFailed);
  CHECK(At(tree, id, "clinic-a").code == "OTE-E1102");
  CHECK(At(tree, id, "clinic-a").message == "it broke");
  CHECK(At(tree, unknown, "clinic-a").code == "OTE-E0008");
}

TEST_CASE("a command is executed once though messages are lost at first and it comes again") {
  Tree tree;
  tree.Join("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"));
  std::map<std::string, int> lost;
  // The first request of each verb, and the first answer to each, never arrive.
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    auto& envelope = event.envelope;
    if (!envelope.verb.starts_with("command.")) return;
    const auto kind = envelope.kind == wire::MessageKind::kRequest ? "request" : "answer";
    if (lost[to + envelope.verb + kind]++ == 0) {
      envelope.kind = wire::MessageKind::kReply;
      envelope.id = 0;
    }
  };
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  tree.Pass(5min);
  CHECK(a.bodies.size() == 1);
  CHECK(PhaseAt(tree, id) == CommandPhase::kDone);
  CHECK(lost["clinic-acommand.runrequest"] >= 2);
  // The same command again, as a relay might send it: the outcome that there is.
  tree.on_the_way = nullptr;
  api::Command again;
  again.id = id;
  again.issuer = "hq";
  again.verb = "test.work";
  CHECK(Must(tree.Node("clinic-a").commands().Take(again)).phase == CommandPhase::kDone);
  tree.Settle();
  CHECK(a.bodies.size() == 1);
}

TEST_CASE("commands for a cluster that is away wait, and reach it in their order") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.Pass(20s);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    auto order = Work();
    order.body = {{"n", i}};
    ids.push_back(Must(Hq(tree).Issue(order, {"clinic-a"})));
  }
  CHECK(PhaseAt(tree, ids[0]) == CommandPhase::kQueued);
  // Also over a restart of the one that issued them.
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.Pass(20s);
  CHECK(PhaseAt(tree, ids[4]) == CommandPhase::kQueued);
  tree.StartNode("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"));
  tree.Pass(20s);
  REQUIRE(a.bodies.size() == 5);
  for (int i = 0; i < 5; ++i) CHECK(a.bodies[static_cast<std::size_t>(i)] == Json{{"n", i}});
  CHECK(PhaseAt(tree, ids[4]) == CommandPhase::kDone);
}

TEST_CASE("a command whose deadline passes while its cluster is away expires and is not executed") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.Pass(20s);
  const auto id = Must(Hq(tree).Issue(Work(1min), {"clinic-a"}));
  tree.Pass(61s);
  CHECK(PhaseAt(tree, id) == CommandPhase::kExpired);
  CHECK(At(tree, id, "clinic-a").code == "OTE-E0905");
  tree.StartNode("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"));
  tree.Pass(20s);
  CHECK(a.bodies.empty());
}

TEST_CASE("a command that comes after its deadline is not begun, whatever the clock of its cluster says") {
  Tree tree;
  tree.Join("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"));
  tree.on_the_way = [&](const std::string&, wire::Event& event) {
    if (event.envelope.verb == "command.run" && event.envelope.kind == wire::MessageKind::kRequest) {
      event.envelope.body["ttlMs"] = 0;
    }
  };
  const auto id = Must(Hq(tree).Issue(Work(1h), {"clinic-a"}));
  tree.Settle();
  CHECK(a.bodies.empty());
  CHECK(PhaseAt(tree, id) == CommandPhase::kExpired);
}

TEST_CASE("the true outcome counts also when it comes after the deadline") {
  Tree tree;
  tree.Join("clinic-a");
  Stuck a;
  a.On(tree.Node("clinic-a"), false);
  const auto id = Must(Hq(tree).Issue(Work(1min), {"clinic-a"}));
  tree.Pass(61s);
  CHECK(PhaseAt(tree, id) == CommandPhase::kExpired);
  a.dones.at(0)(Json::object());
  tree.Settle();
  CHECK(PhaseAt(tree, id) == CommandPhase::kDone);
}

TEST_CASE("a cluster killed in the middle of a command repeats it only when that does no harm") {
  for (const bool repeatable : {false, true}) {
    Tree tree;
    tree.Join("clinic-a");
    Stuck stuck;
    stuck.On(tree.Node("clinic-a"), repeatable);
    const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
    tree.Settle();
    CHECK(stuck.begun == 1);
    CHECK(PhaseAt(tree, id) == CommandPhase::kAcknowledged);
    tree.StopNode("clinic-a");
    tree.StartNode("clinic-a");
    Worker a;
    a.On(tree.Node("clinic-a"), repeatable);
    tree.Pass(10s);
    CHECK(a.bodies.size() == (repeatable ? 1 : 0));
    CHECK(PhaseAt(tree, id) == (repeatable ? CommandPhase::kDone : CommandPhase::kFailed));
    if (!repeatable) CHECK(At(tree, id, "clinic-a").code == "OTE-E0004");
  }
}

TEST_CASE("an outcome that its issuer does not hear is told until it does, also over restarts of both") {
  Tree tree;
  tree.Join("clinic-a");
  Stuck stuck;
  stuck.On(tree.Node("clinic-a"), false);
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  tree.Settle();
  tree.StopNode("hq");
  tree.Pass(20s);
  stuck.dones.at(0)(Json{{"late", true}});
  tree.Pass(2min);
  tree.StopNode("clinic-a");
  tree.StartNode("hq");
  tree.StartNode("clinic-a");
  tree.Pass(20s);
  CHECK(PhaseAt(tree, id) == CommandPhase::kDone);
  CHECK(At(tree, id, "clinic-a").result == Json{{"late", true}});
  // And it is kept.
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(At(tree, id, "clinic-a").result == Json{{"late", true}});
}

TEST_CASE("a restored cluster that lost what it took is not told it again, and the loss is seen") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  const auto copy = tree.scratch() / "copy";
  std::filesystem::copy(tree.Folder("clinic-a").path, copy, std::filesystem::copy_options::recursive);
  tree.StartNode("clinic-a");
  Stuck stuck;
  stuck.On(tree.Node("clinic-a"), true);
  tree.Settle();
  const auto id = Must(Hq(tree).Issue(Work(0ms), {"clinic-a"}));
  tree.Settle();
  CHECK(PhaseAt(tree, id) == CommandPhase::kAcknowledged);
  // A new line alone is no loss.
  tree.network.Cut(Tree::kRootEndpoint);
  tree.Pass(30s);
  tree.network.Mend(Tree::kRootEndpoint);
  tree.Pass(30s);
  CHECK(PhaseAt(tree, id) == CommandPhase::kAcknowledged);
  tree.StopNode("clinic-a");
  std::filesystem::remove_all(tree.Folder("clinic-a").path);
  std::filesystem::rename(copy, tree.Folder("clinic-a").path);
  tree.StartNode("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"), true);
  tree.Pass(30s);
  CHECK(a.bodies.empty());
  CHECK(PhaseAt(tree, id) == CommandPhase::kFailed);
  CHECK(At(tree, id, "clinic-a").code == "OTE-E0004");
}

TEST_CASE("a command for the agent itself is executed there, with no line") {
  Tree tree;
  Worker hq;
  hq.On(tree.Node("hq"));
  const auto id = Must(Hq(tree).Issue(Work(), {"hq"}));
  CHECK(hq.bodies.empty());
  tree.Settle();
  CHECK(hq.bodies.size() == 1);
  CHECK(PhaseAt(tree, id, "hq") == CommandPhase::kDone);
  tree.StopNode("hq");
  tree.StartNode("hq");
  hq.On(tree.Node("hq"));
  tree.Settle();
  CHECK(hq.bodies.size() == 1);
}

TEST_CASE("the same request is one order, and another one with its id is refused") {
  Tree tree;
  tree.Join("clinic-a");
  auto order = Work();
  order.request_id = "req-1";
  const auto id = Must(Hq(tree).Issue(order, {"clinic-a"}));
  CHECK(Must(Hq(tree).Issue(order, {"clinic-a"})) == id);
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(Must(Hq(tree).Issue(order, {"clinic-a"})) == id);
  order.body = {{"n", 2}};
  const auto other = Hq(tree).Issue(order, {"clinic-a"});
  REQUIRE_FALSE(other);
  CHECK(other.error().id == ErrorId::kConflict);
}

TEST_CASE("a newer command takes the place of a queued one of the same key") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.Pass(20s);
  auto order = Work();
  order.replaces = "app/web";
  const auto first = Must(Hq(tree).Issue(order, {"clinic-a"}));
  const auto other = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  order.body = {{"n", 2}};
  const auto second = Must(Hq(tree).Issue(order, {"clinic-a"}));
  CHECK(PhaseAt(tree, first) == CommandPhase::kExpired);
  tree.StartNode("clinic-a");
  Worker a;
  a.On(tree.Node("clinic-a"));
  tree.Pass(10s);
  CHECK(a.bodies == std::vector<Json>{{{"n", 1}}, {{"n", 2}}});
  CHECK(PhaseAt(tree, other) == CommandPhase::kDone);
  CHECK(PhaseAt(tree, second) == CommandPhase::kDone);
}

TEST_CASE("a command reaches those that join late and match, until its deadline") {
  Tree tree;
  auto order = Work(10min);
  order.late = true;
  order.selector = "region=eu";
  const auto id = Must(Hq(tree).Issue(order, {}));
  std::map<std::string, Worker> workers;
  const auto join = [&](const std::string& name, const api::Labels& labels) {
    Must(tree.Enrol(tree.Token(), name, labels));
    tree.StartNode(name);
    workers[name].On(tree.Node(name));
    tree.Pass(5s);
  };
  join("clinic-a", {{"region", "eu"}});
  join("clinic-b", {{"region", "us"}});
  CHECK(PhaseAt(tree, id, "clinic-a") == CommandPhase::kDone);
  CHECK(workers["clinic-a"].bodies.size() == 1);
  CHECK(workers["clinic-b"].bodies.empty());
  tree.Pass(10min);
  join("clinic-c", {{"region", "eu"}});
  CHECK(workers["clinic-c"].bodies.empty());
  order.selector = "";
  CHECK(Hq(tree).Issue(order, {}).error().id == ErrorId::kSelectorEmpty);
  order.late = false;
  CHECK(Hq(tree).Issue(order, {}).error().id == ErrorId::kSelectorEmpty);
}

TEST_CASE("what waits for a cluster that is removed fails") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.Pass(20s);
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.Settle();
  CHECK(PhaseAt(tree, id) == CommandPhase::kFailed);
}

TEST_CASE("a cluster tells only of itself") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  Stuck stuck;
  stuck.On(tree.Node("clinic-a"), false);
  stuck.On(tree.Node("clinic-b"), false);
  const auto id = Must(Hq(tree).Issue(Work(), {"clinic-a", "clinic-b"}));
  tree.Settle();
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "hq" && event.envelope.verb == "command.outcome") event.envelope.body["cluster"] = "clinic-a";
  };
  stuck.dones.at(1)(Json::object());
  tree.Settle();
  CHECK(PhaseAt(tree, id, "clinic-a") == CommandPhase::kAcknowledged);
  CHECK(PhaseAt(tree, id, "clinic-b") == CommandPhase::kAcknowledged);
}

TEST_CASE("what waits for one cluster is bounded, and more is refused and counted") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.Pass(20s);
  Hq(tree).SetLimits({10, 10});
  for (int i = 0; i < 10; ++i) Must(Hq(tree).Issue(Work(), {"clinic-a"}));
  const auto more = Hq(tree).Issue(Work(), {"clinic-a"});
  REQUIRE_FALSE(more);
  CHECK(more.error().id == ErrorId::kBusy);
  CHECK(Must(Hq(tree).List({})).refused == 1);
  CHECK(Must(Hq(tree).List({})).items.size() == 10);
  CHECK(Must(Hq(tree).List({"", "", 4, 0, {}})).more == 6);
}

TEST_CASE("of the commands that are over the newest are kept") {
  Tree tree;
  Worker hq;
  hq.On(tree.Node("hq"));
  Hq(tree).SetLimits({100, 10});
  std::vector<std::string> ids;
  for (int i = 0; i < 15; ++i) ids.push_back(Must(Hq(tree).Issue(Work(), {"hq"})));
  tree.Settle(64);
  CHECK(hq.bodies.size() == 15);
  CHECK(Hq(tree).OutcomesOf(ids[4]).empty());
  CHECK(PhaseAt(tree, ids[5], "hq") == CommandPhase::kDone);
  CHECK(Must(Hq(tree).List({})).forgotten == 5);
}

TEST_CASE("the outcomes of a command for many clusters come in pages, in the order of names") {
  Tree tree;
  const auto id = Must(Hq(tree).Issue(Work(), {"c", "a", "b"}));
  const auto names = [](const api::CommandList& list) {
    std::vector<std::string> of;
    for (const auto& outcome : list.items.at(0).outcomes) of.push_back(outcome.cluster);
    return of;
  };
  const auto first = Must(Hq(tree).List({id, {}, 100, 2, {}}));
  CHECK(names(first) == std::vector<std::string>{"a", "b"});
  CHECK(first.next == "b");
  CHECK(first.items[0].phases.at("queued") == 3);
  const auto second = Must(Hq(tree).List({id, {}, 100, 2, "b"}));
  CHECK(names(second) == std::vector<std::string>{"c"});
  CHECK_FALSE(second.next);
  CHECK(names(Must(Hq(tree).List({id, {}, 100, 0, {}}))).size() == 3);
}
