// Trees of more than two tiers: joining through a relay, routes, messages passed on, and what happens when a relay is
// lost.
#include "test/fake/tree.h"

#include <catch2/catch.hpp>

#include "agent/tree/tree_parts.h"

namespace ote::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// hq with three relays of three leaves each.
void Grow(Tree& tree) {
  for (const std::string relay : {"r1", "r2", "r3"}) tree.JoinAt("hq", relay, true);
  tree.Pass(seconds(2));
  for (const std::string relay : {"r1", "r2", "r3"}) {
    for (const std::string leaf : {"a", "b", "c"}) tree.JoinAt(relay, relay + leaf);
  }
  tree.Pass(seconds(6));
}

TEST_CASE("a cluster joins through a relay, with a certificate of the root, and everybody above knows it") {
  Tree tree;
  tree.JoinAt("hq", "r1", true, {{"region", "eu"}});
  tree.JoinAt("r1", "leaf", false, {{"tier", "edge"}});
  tree.Pass(seconds(6));
  CHECK(tree.Node("leaf").uplink().Connected());
  CHECK(tree.Node("leaf").uplink().Rooted());
  CHECK(tree.Node("leaf").uplink().Path() == std::vector<std::string>{"hq", "r1"});
  const auto shown = tree.Shown("leaf");
  CHECK(shown.status == api::ClusterStatus::kReady);
  CHECK(shown.parent == "r1");
  CHECK(shown.via == "r1");
  CHECK(shown.labels.at("tier") == "edge");
  CHECK(tree.Shown("leaf", "r1").status == api::ClusterStatus::kReady);
  const auto own = Must(tree.Node("leaf").membership().Own());
  CHECK(own.parent == "r1");
  const auto view = Must(tree.Ask<api::TreeView>("hq", api::verb::kClusterTree, api::Empty{}));
  REQUIRE(view.items.size() == 3);
  CHECK(view.items[2].cluster.name == "leaf");
  CHECK(view.items[2].depth == 2);
  const auto below = Must(tree.Ask<api::TreeView>("r1", api::verb::kClusterTree, api::Empty{}));
  CHECK(below.path == std::vector<std::string>{"hq"});
}

TEST_CASE("a relay that was started this moment gives out tokens as soon as it has a line") {
  Tree tree;
  Must(tree.Enrol(tree.Token(), "r1", {}, 0, {"tcp://r1:7440"}));
  tree.StartNode("r1");
  CHECK_FALSE(tree.Node("r1").uplink().Connected());
  CHECK(tree.Ask<api::TokenReply>("r1", api::verb::kTokenCreate, api::TokenRequest{}));
}

TEST_CASE("a token admits to the relay that asked for it, and to nobody else") {
  Tree tree;
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("hq", "r2", true);
  const auto token = Must(crypto::JoinToken::Parse(tree.Token({}, "r1")));
  // The same secret at other doors.
  CHECK_FALSE(tree.TryClient({"tcp://r2:7440", Must(tree.Folder("r2").TransportKey()).Public()}, token.EnrolmentKey()));
  CHECK_FALSE(
      tree.TryClient({Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()}, token.EnrolmentKey()));
  CHECK(tree.Enrol(tree.Token({}, "r1"), "leaf"));
}

TEST_CASE("labels of a cluster further down are changed from any tier above it") {
  Tree tree;
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("r1", "leaf");
  tree.Pass(seconds(6));
  api::LabelRequest request;
  request.name = "leaf";
  request.set = {{"zone", "north"}};
  const auto changed = Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterLabel, request));
  CHECK(changed.labels.at("zone") == "north");
  tree.Settle();
  CHECK(tree.Shown("leaf").labels.at("zone") == "north");
  CHECK(tree.Shown("leaf", "r1").labels.at("zone") == "north");
}

TEST_CASE("a cluster that was removed at the root is cut off from its relay") {
  Tree tree;
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("r1", "leaf");
  tree.Pass(seconds(6));
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"leaf"}));
  tree.Settle();
  tree.Pass(seconds(6));
  CHECK_FALSE(tree.Node("leaf").uplink().Connected());
  CHECK_THROWS(tree.Shown("leaf"));
  CHECK_THROWS(tree.Shown("leaf", "r1"));
}

TEST_CASE("a relay has the root remove what joined below it, and nothing else") {
  Tree tree;
  for (const std::string relay : {"r1", "r2"}) tree.JoinAt("hq", relay, true);
  tree.Pass(seconds(2));
  tree.JoinAt("r1", "leaf");
  tree.JoinAt("r2", "other");
  tree.Pass(seconds(6));
  const auto remove = [&](const std::string& at, const std::string& name) {
    return tree.Ask<api::Cluster>(at, api::verb::kClusterRemove, api::NameRequest{name});
  };
  CHECK(remove("r1", "other").error().id == ErrorId::kNotFound);
  CHECK(remove("r1", "r1").error().id == ErrorId::kNotFound);
  CHECK(remove("r1", "hq").error().id == ErrorId::kNotFound);
  // A guest is its own parent's, whoever has taken it in.
  tree.StopNode("r2");
  tree.Pass(seconds(60), milliseconds(250));
  REQUIRE(tree.Shown("other").via == "r1");
  CHECK(remove("r1", "other").error().id == ErrorId::kPermission);
  CHECK(tree.Shown("other").status == api::ClusterStatus::kReady);
  const auto removed = remove("r1", "leaf");
  REQUIRE(removed);
  CHECK(removed->status == api::ClusterStatus::kRemoved);
  tree.Pass(seconds(6));
  for (const auto* at : {"hq", "r1"}) {
    const auto list = Must(tree.Ask<api::ClusterList>(at, api::verb::kClusterList, api::Empty{}));
    CHECK(std::ranges::none_of(list.items, [](const auto& cluster) { return cluster.name == "leaf"; }));
  }
}

TEST_CASE("a certificate is renewed through a relay, which then knows the new one") {
  Tree tree(60'000);
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("r1", "leaf");
  tree.Pass(seconds(6));
  const auto before = Must(tree.Node("leaf").membership().Own()).serial;
  tree.Pass(seconds(120));
  const auto after = Must(tree.Node("leaf").membership().Own()).serial;
  CHECK(before < after);
  CHECK(tree.Node("leaf").uplink().Connected());
  CHECK(tree.Shown("leaf").status == api::ClusterStatus::kReady);
}

TEST_CASE("when a relay is lost with all that is below it, nothing of it is shown as ready") {
  Tree tree;
  Grow(tree);
  for (const auto& lost : {"r1", "r1a", "r1b", "r1c"}) tree.StopNode(lost);
  tree.Pass(milliseconds(tree.Node("hq").membership().settings.heartbeat_ms) * 3);
  CHECK(tree.Shown("r1").status == api::ClusterStatus::kUnreachable);
  for (const auto& leaf : {"r1a", "r1b", "r1c"}) CHECK(tree.Shown(leaf).status == api::ClusterStatus::kUnknown);
  CHECK(tree.Shown("r2a").status == api::ClusterStatus::kReady);
}

TEST_CASE("when a relay is lost its children hang on others within five heartbeats, and go back when it returns") {
  Tree tree;
  Grow(tree);
  for (const auto& leaf : {"r1a", "r1b", "r1c"}) REQUIRE(tree.Shown(leaf).status == api::ClusterStatus::kReady);
  const milliseconds heartbeat(tree.Node("hq").membership().settings.heartbeat_ms);
  tree.StopNode("r1");
  const auto begun = tree.clock.SteadyNow();
  const auto moved = [&] {
    for (const auto& leaf : {"r1a", "r1b", "r1c"}) {
      const auto shown = tree.Shown(leaf);
      if (shown.status != api::ClusterStatus::kReady || shown.via == "r1") return false;
    }
    return true;
  };
  while (!moved() && tree.clock.SteadyNow() - begun < heartbeat * 10) {
    tree.Pass(milliseconds(250), milliseconds(250));
  }
  CHECK(moved());
  CHECK(tree.clock.SteadyNow() - begun <= heartbeat * 5);
  tree.Pass(heartbeat * 3, milliseconds(250));
  CHECK(tree.Shown("r1").status == api::ClusterStatus::kUnreachable);
  CHECK(moved());
  // And back when it returns.
  tree.StartNode("r1");
  tree.Pass(heartbeat * 5, milliseconds(250));
  for (const auto& leaf : {"r1a", "r1b", "r1c"}) {
    const auto shown = tree.Shown(leaf);
    INFO(leaf);
    CHECK(shown.status == api::ClusterStatus::kReady);
    CHECK(shown.via == "r1");
    CHECK(tree.Node(leaf).uplink().AtHome());
  }
}

TEST_CASE("a relay that hears of a connection that is over still knows where else to go") {
  Tree tree;
  Grow(tree);
  // r1a hangs on another while r1 is lost, and goes home: the other is told that its connection is over.
  tree.StopNode("r1");
  tree.Pass(seconds(25), milliseconds(250));
  const auto host = tree.Shown("r1a").via;
  tree.StartNode("r1");
  tree.Pass(seconds(25), milliseconds(250));
  REQUIRE(tree.Shown("r1a").via == "r1");
  for (const auto& relay : {"r2", "r3"}) {
    INFO(relay << ", " << host << " had r1a");
    const auto& place = tree.Node(relay).membership().place;
    CHECK(place.path == std::vector<std::string>{"hq"});
    CHECK(place.siblings.size() == 2);
  }
}

TEST_CASE("alternates are known at the first start already, with the own parent gone") {
  Tree tree;
  tree.JoinAt("hq", "r1", true);
  tree.JoinAt("hq", "r2", true);
  tree.Pass(seconds(6));
  Must(tree.Enrol(tree.Token({}, "r1"), "leaf"));
  tree.Pass(seconds(6));  // r2 hears who may come
  tree.StopNode("r1");
  tree.StartNode("leaf");
  tree.Pass(seconds(25), milliseconds(250));
  CHECK(tree.Node("leaf").uplink().Connected());
  CHECK_FALSE(tree.Node("leaf").uplink().AtHome());
  CHECK(tree.Shown("leaf").status == api::ClusterStatus::kReady);
}

TEST_CASE("with the root gone nobody circles: each stays with its own parent, and all is as before when it returns") {
  Tree tree;
  Grow(tree);
  tree.StopNode("hq");
  tree.Pass(seconds(120), milliseconds(500));
  for (const auto& relay : {"r1", "r2", "r3"}) {
    CHECK_FALSE(tree.Node(relay).uplink().Rooted());
    CHECK_FALSE(tree.Node(relay).uplink().Connected());
  }
  CHECK(tree.Node("r1a").uplink().Connected());
  CHECK_FALSE(tree.Node("r1a").uplink().Rooted());
  tree.StartNode("hq");
  tree.Pass(seconds(40), milliseconds(500));
  for (const auto& leaf : {"r1a", "r2b", "r3c"}) {
    CHECK(tree.Shown(leaf).status == api::ClusterStatus::kReady);
    CHECK(tree.Node(leaf).uplink().AtHome());
  }
}

TEST_CASE("a relay cannot say hello for one of its own children, and so take its messages for its own") {
  Tree tree;
  Grow(tree);
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to == "hq" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "r1" &&
        event.envelope.verb == api::verb::kMemberHello) {
      event.envelope.from = "r1a";
    }
  };
  api::MemberHello hello;
  hello.epoch = tree.clock.WallNow() + 1'000'000;
  std::optional<ErrorId> why;
  tree.Node("r1").uplink().Call(api::verb::kMemberHello, ToJson(hello), seconds(5),
                                [&](const Result<wire::Envelope>& answer) {
                                  if (!answer) why = answer.error().id;
                                });
  tree.Settle();
  CHECK(why == ErrorId::kConflict);
  CHECK(tree.Shown("r1a").via == "r1");
}

TEST_CASE("a child speaks for itself and its subtree, and for nobody else") {
  Tree tree;
  Grow(tree);
  // r2 claims that its heartbeat is one of r1a.
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to == "hq" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "r2" &&
        event.envelope.verb == api::verb::kMemberDatasets) {
      event.envelope.from = "r1a";
    }
  };
  const auto refused = tree.Node("hq").tree().relay().Refused();
  std::optional<ErrorId> why;
  api::DatasetSummary stolen;
  stolen.name = "stolen";
  tree.Node("r2").uplink().Call(api::verb::kMemberDatasets, ToJson(api::DatasetList{{stolen}}), seconds(5),
                                [&](const Result<wire::Envelope>& answer) {
                                  if (!answer) why = answer.error().id;
                                });
  tree.Settle();
  CHECK(why == ErrorId::kNotBelow);
  CHECK(tree.Node("hq").tree().relay().Refused() == refused + 1);
  CHECK(tree.Shown("r1a").datasets.empty());
}

}  // namespace
}  // namespace ote::test
