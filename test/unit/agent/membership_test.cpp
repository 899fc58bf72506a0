#include <catch2/catch.hpp>

#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Tree;

TEST_CASE("a cluster that stops answering is unreachable within three heartbeats and comes back by itself") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Pass(20s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  tree.StopNode("clinic-a");
  tree.Pass(9s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  tree.Pass(6s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kUnreachable);
  tree.StartNode("clinic-a");
  tree.Settle();
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
}

TEST_CASE("a restarted root keeps its members, and they find it again") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("hq");
  tree.Pass(10s);
  CHECK_FALSE(tree.Node("clinic-a").uplink().Connected());
  tree.StartNode("hq");
  tree.Pass(2s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
}

TEST_CASE("a cut line heals by itself") {
  Tree tree;
  tree.Join("clinic-a");
  tree.network.Cut(Tree::kRootEndpoint);
  tree.Pass(30s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kUnreachable);
  tree.network.Mend(Tree::kRootEndpoint);
  tree.Pass(20s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
}

TEST_CASE("a removed member is put out at once and told why") {
  Tree tree;
  tree.Join("clinic-a");
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.Settle();
  CHECK_FALSE(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Node("clinic-a").uplink().Message().find("removed") != std::string::npos);
  CHECK_THROWS_WITH(tree.Shown("clinic-a"), Catch::Contains("not listed"));
  const auto list = *tree.Node("hq").membership().revocations;
  const auto body = Must(crypto::CheckRevocationList(list, tree.Node("hq").membership().AuthorityKey(), 0));
  CHECK(body.number == 1);
  CHECK(body.Contains(BigId{2}));
}

TEST_CASE("a removed member may join again with a new token") {
  Tree tree;
  tree.Join("clinic-a");
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.StopNode("clinic-a");
  tree.Join("clinic-a");
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  CHECK(tree.Shown("clinic-a").serial.value == 3);
}

TEST_CASE("revocations reach the other members") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.Settle();
  const auto& membership = tree.Node("clinic-b").membership();
  CHECK(Must(crypto::CheckRevocationList(*membership.revocations, membership.AuthorityKey(), 0)).number == 1);
}

TEST_CASE("labels are set and unset at the root and survive it") {
  Tree tree;
  tree.Join("clinic-a", {{"region", "eu"}});
  api::LabelRequest request;
  request.name = "clinic-a";
  request.set = {{"tier", "edge"}};
  request.unset = {"region"};
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterLabel, request));
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(tree.Shown("clinic-a").labels == api::Labels{{"tier", "edge"}});
  request.set = {{"bad key!", "x"}};
  CHECK_FALSE(tree.Ask<api::Cluster>("hq", api::verb::kClusterLabel, request).has_value());
}

TEST_CASE("a certificate renews itself at two thirds of its life") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  const auto before = tree.Shown("clinic-a");
  tree.Pass(50s);
  CHECK(tree.Shown("clinic-a").serial == before.serial);
  tree.Pass(20s);
  const auto after = tree.Shown("clinic-a");
  CHECK(after.serial > before.serial);
  CHECK(after.expires_at > before.expires_at);
  tree.Pass(300s);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
}

TEST_CASE("a certificate that expired while the line was cut is renewed, and only renewed, within the grace") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.clock.Advance(24h);
  tree.StartNode("clinic-a");
  tree.Pass(5s);
  CHECK(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  CHECK(tree.Shown("clinic-a").expires_at > tree.clock.WallNow());
}

TEST_CASE("with an expired certificate every verb but renewal is refused") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.clock.Advance(24h);
  const auto folder = tree.Folder("clinic-a");
  auto client = tree.OpenClient({Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()},
                                Must(folder.TransportKey()));
  const auto answer = client.Call(api::verb::kMemberHello, Json::object(), 5s);
  CHECK(answer.error().id == ErrorId::kCertificateExpired);
}

TEST_CASE("beyond the grace a member is turned away") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  tree.clock.Advance(24h * 40);
  tree.StartNode("clinic-a");
  tree.Pass(5s);
  CHECK_FALSE(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Node("clinic-a").uplink().Message().find("expired beyond the grace") != std::string::npos);
}

TEST_CASE("a member may not call what is for operators") {
  Tree tree;
  tree.Join("clinic-a");
  auto client = tree.OpenClient({Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()},
                                Must(tree.Folder("clinic-a").TransportKey()));
  for (const auto verb : {api::verb::kClusterList, api::verb::kTokenCreate, api::verb::kFlStart, api::verb::kAgentStop,
                          api::verb::kDataAdd}) {
    CHECK(client.Call(verb, Json::object(), 5s).error().id == ErrorId::kPermission);
  }
  // It may ask for the removal of what joined below it, which is nobody.
  tree.Join("clinic-b");
  for (const std::string name : {"clinic-b", "clinic-a", "hq", "nobody"}) {
    const auto removed = client.Call(api::verb::kClusterRemove, ToJson(api::NameRequest{name}), 5s);
    CHECK(removed.error().id == ErrorId::kPermission);
  }
  CHECK(tree.Shown("clinic-b").status == api::ClusterStatus::kReady);
}

TEST_CASE("one state folder has one agent") {
  Tree tree;
  const auto second = agent::Node::Open(tree.Folder("hq").path, tree.clock, [&](const auto* key, auto* admission) {
    return Result<std::unique_ptr<wire::Transport>>(tree.network.MakeTransport(key, admission));
  });
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().id == ErrorId::kAgentRunning);
}
