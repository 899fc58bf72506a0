// What clusters tell of themselves, and commands, through relays.
#include <catch2/catch.hpp>

#include "agent/commands/commands.h"
#include "agent/state/distance.h"
#include "agent/state/mirror.h"
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

}  // namespace
}  // namespace ote::test
