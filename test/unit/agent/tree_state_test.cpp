// What clusters tell of themselves, and commands, through relays.
#include <catch2/catch.hpp>

#include "agent/commands/commands.h"
#include "agent/state/distance.h"
#include "agent/state/mirror.h"
#include "core/api/audit.h"
#include "core/api/line.h"
#include "test/fake/tree.h"

namespace ote::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

agent::CommandBus::Order OrderOf(const std::string& verb) {
  agent::CommandBus::Order order;
  order.verb = verb;
  order.by = "local";
  return order;
}

void Grow(Tree& tree) {
  for (const std::string relay : {"r1", "r2"}) tree.JoinAt("hq", relay, true);
  tree.Pass(seconds(2));
  tree.JoinAt("r1", "leaf");
  tree.JoinAt("r2", "other");
  tree.Pass(seconds(6));
}

TEST_CASE("what a cluster tells of itself is known at every tier above it, and of no other of the same names") {
  Tree tree;
  Grow(tree);
  tree.Node("leaf").state().Set("app", "web", {{"v", 1}});
  tree.Node("other").state().Set("app", "web", {{"v", 2}});
  tree.Settle(20);
  CHECK(tree.Node("r1").state().Get("leaf", "app", "web") == Json{{"v", 1}});
  CHECK(tree.Node("hq").state().Get("leaf", "app", "web") == Json{{"v", 1}});
  CHECK(tree.Node("hq").state().Get("other", "app", "web") == Json{{"v", 2}});
  CHECK_FALSE(tree.Node("r2").state().Get("leaf", "app", "web"));
}

TEST_CASE("a command reaches a cluster behind a relay once, also when that is lost in between, and is answered") {
  Tree tree;
  Grow(tree);
  int done = 0;
  tree.Node("leaf").commands().Handle("test.count", false, [&](const api::Command&, agent::CommandBus::Done answer) {
    ++done;
    answer(Json{{"count", done}});
  });
  const auto issue = [&] { return Must(tree.Node("hq").commands().Issue(OrderOf("test.count"), {"leaf"})); };
  const auto first = issue();
  tree.Settle(20);
  tree.Pass(seconds(2));
  REQUIRE(tree.Node("hq").commands().OutcomesOf(first).size() == 1);
  CHECK(tree.Node("hq").commands().OutcomesOf(first)[0].phase == api::CommandPhase::kDone);
  CHECK(done == 1);
  // With the relay gone it waits, goes another way, and is executed there once.
  tree.StopNode("r1");
  const auto second = issue();
  tree.Pass(seconds(60), milliseconds(250));
  CHECK(tree.Shown("leaf").via != "r1");
  CHECK(tree.Node("hq").commands().OutcomesOf(second)[0].phase == api::CommandPhase::kDone);
  CHECK(done == 2);
  tree.StartNode("r1");
  tree.Pass(seconds(40), milliseconds(250));
  CHECK(tree.Shown("leaf").via == "r1");
  CHECK(done == 2);
}

TEST_CASE("how far a cluster is, is told along the tree, and of the way that it has now") {
  Tree tree;
  Grow(tree);
  tree.Pass(seconds(12));
  const auto line = [&](const std::string& name) {
    const auto told = tree.Node("hq").state().Get(name, agent::state::kLine, "");
    return told ? Must(FromWire<api::LineStatus>(*told)).parent : "";
  };
  CHECK(line("leaf") == "r1");
  CHECK(line("r1") == "hq");
  CHECK(line("hq").empty());
  CHECK(agent::RoundTripMs(tree.Node("hq").state(), "hq", "leaf").has_value());
  CHECK(agent::RoundTripMs(tree.Node("r1").state(), "r1", "leaf").has_value());
  CHECK_FALSE(agent::RoundTripMs(tree.Node("hq").state(), "hq", "nobody"));
  tree.StopNode("r1");
  tree.Pass(seconds(60), milliseconds(250));
  CHECK(line("leaf") == tree.Shown("leaf").via);
  CHECK(line("leaf") != "r1");
}

// Of lines as they were told; everything else is not asked for.
class Lines final : public agent::StateBoard {
 public:
  void Set(std::string_view, const std::string& name, Json value) override { told[name] = std::move(value); }
  void Remove(std::string_view, const std::string&) override {}
  std::map<std::string, Json> List(const std::string& cluster, std::string_view) const override {
    const auto it = told.find(cluster);
    return it == told.end() ? std::map<std::string, Json>{} : std::map<std::string, Json>{{"", it->second}};
  }
  UnixMillis FreshAt(const std::string&) const override { return 0; }
  void OnChange(Changed) override {}
  std::map<std::string, Json> told;
};

TEST_CASE("a round trip is the sum of its lines, and unknown when one is, or when they go round") {
  Lines lines;
  const auto put = [&](const std::string& name, const std::string& parent, std::int64_t ms) {
    lines.Set("", name, ToJson(api::LineStatus{parent, ms}));
  };
  put("leaf", "r1", 40);
  CHECK_FALSE(agent::RoundTripMs(lines, "hq", "leaf"));
  put("r1", "hq", 7);
  CHECK(agent::RoundTripMs(lines, "hq", "leaf") == 47);
  CHECK(agent::RoundTripMs(lines, "r1", "leaf") == 40);
  CHECK(agent::RoundTripMs(lines, "hq", "hq") == 0);
  put("r1", "leaf", 7);
  CHECK_FALSE(agent::RoundTripMs(lines, "hq", "leaf"));
  put("r1", "hq", -7);
  CHECK_FALSE(agent::RoundTripMs(lines, "hq", "leaf"));
}

TEST_CASE("a relay issues commands to those below it, and has the outcomes") {
  Tree tree;
  Grow(tree);
  tree.Node("leaf").commands().Handle(
      "test.note", true, [](const api::Command&, agent::CommandBus::Done answer) { answer(Json::object()); });
  const auto id = Must(tree.Node("r1").commands().Issue(OrderOf("test.note"), {"leaf"}));
  tree.Settle(20);
  tree.Pass(seconds(2));
  CHECK(tree.Node("r1").commands().OutcomesOf(id)[0].phase == api::CommandPhase::kDone);
  CHECK(tree.Node("hq").commands().OutcomesOf(id).empty());
}

// hq > r1 > sub > deep, r1 > leaf, and r2, which takes in those of r1 when that is lost.
void GrowDeep(Tree& tree) {
  Grow(tree);
  tree.JoinAt("r1", "sub", true);
  tree.JoinAt("sub", "deep");
  tree.Pass(seconds(6));
}
// What became of a command that `at` issues for `cluster`; counts what is executed there.
api::CommandOutcome Ordered(Tree& tree, const std::string& at, const std::string& cluster, int& done) {
  tree.Node(cluster).commands().Handle("test.count", false, [&](const api::Command&, agent::CommandBus::Done answer) {
    ++done;
    answer(Json::object());
  });
  const auto id = Must(tree.Node(at).commands().Issue(OrderOf("test.count"), {cluster}));
  tree.Pass(seconds(3));
  return tree.Node(at).commands().OutcomesOf(id).at(0);
}

TEST_CASE("a guest does what those above its own parent ask for, and nothing that begins with its host") {
  Tree tree;
  GrowDeep(tree);
  tree.StopNode("r1");
  tree.Pass(seconds(60), milliseconds(250));
  REQUIRE(tree.Node("leaf").uplink().ParentName() == "r2");
  REQUIRE(tree.Node("sub").uplink().ParentName() == "r2");
  int done = 0;
  for (const auto* cluster : {"leaf", "sub", "deep"}) {
    INFO(cluster);
    const auto refused = Ordered(tree, "r2", cluster, done);
    CHECK(refused.phase == api::CommandPhase::kFailed);
    CHECK(refused.code == (Error{ErrorId::kPermission, {}, {}}).Code());
    CHECK_THAT(refused.message, Catch::Contains("r2 is not above"));
    CHECK(done == 0);
    CHECK(tree.Node("r2").members().IsOthers(cluster));
    CHECK_FALSE(tree.Node("hq").members().IsOthers(cluster));
    CHECK(Ordered(tree, "hq", cluster, done).phase == api::CommandPhase::kDone);
    CHECK(std::exchange(done, 0) == 1);
  }
  CHECK_FALSE(tree.Node("r2").members().IsOthers("other"));
  CHECK(Ordered(tree, "r2", "other", done).phase == api::CommandPhase::kDone);
  // It stands in the audit of the one that refused.
  const auto audit = Must(tree.Ask<api::AuditList>("leaf", api::verb::kClusterAudit, api::AuditQuery{}));
  REQUIRE_FALSE(audit.items.empty());
  const auto entry = std::ranges::find(audit.items, api::AuditOutcome::kRefused, &api::AuditEntry::outcome);
  REQUIRE(entry != audit.items.end());
  CHECK(entry->who == "local@r2");
  CHECK(entry->verb == "test.count");
  // Its own parent has it back, and may ask again.
  tree.StartNode("r1");
  tree.Pass(seconds(40), milliseconds(250));
  REQUIRE(tree.Node("leaf").uplink().ParentName() == "r1");
  done = 0;
  CHECK(Ordered(tree, "r1", "leaf", done).phase == api::CommandPhase::kDone);
}

TEST_CASE("a grandparent that takes a cluster in is above it as before") {
  Tree tree;
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("r1", "mid", true);
  tree.JoinAt("mid", "leaf");
  tree.Pass(seconds(6));
  tree.StopNode("mid");
  tree.Pass(seconds(60), milliseconds(250));
  REQUIRE(tree.Node("leaf").uplink().ParentName() == "r1");
  int done = 0;
  CHECK_FALSE(tree.Node("r1").members().IsOthers("leaf"));
  CHECK(Ordered(tree, "r1", "leaf", done).phase == api::CommandPhase::kDone);
  CHECK(done == 1);
}

TEST_CASE("a relay cordons any cluster below it, for itself, and knows it after a restart") {
  Tree tree;
  GrowDeep(tree);
  const auto ask = [&](const std::string& name, bool cordoned, bool drained) {
    return tree.Ask<api::Cluster>("r1", api::verb::kClusterCordon, api::CordonRequest{name, cordoned, drained});
  };
  for (const std::string name : {"deep", "sub"}) {
    INFO(name);
    CHECK(Must(ask(name, false, true)).drained);
    CHECK(tree.Shown(name, "r1").cordoned);
    tree.StopNode("r1");
    tree.StartNode("r1");
    tree.Pass(seconds(20), milliseconds(250));
    CHECK(tree.Shown(name, "r1").status == api::ClusterStatus::kReady);
    CHECK(tree.Shown(name, "r1").drained);
    CHECK_FALSE(tree.Shown(name, "hq").cordoned);
    CHECK_FALSE(Must(ask(name, true, false)).drained);
    CHECK(tree.Shown(name, "r1").cordoned);
    CHECK_FALSE(Must(ask(name, false, false)).cordoned);
    CHECK_FALSE(tree.Shown(name, "r1").cordoned);
  }
  const auto unknown = ask("other", true, false);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().id == ErrorId::kNotFound);
}

}  // namespace
}  // namespace ote::test
