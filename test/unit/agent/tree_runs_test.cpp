// Federated runs whose sites hang on relays.
#include <catch2/catch.hpp>

#include "agent/tree/tree_parts.h"
#include "test/fake/tiers.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Asks;
using test::FlatDigest;
using test::Folded;
using test::GiveData;
using test::GrowTiers;
using test::kTierSites;
using test::Must;
using test::RunTree;

TEST_CASE("a run over sites behind relays ends with the model of the flat one") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  std::map<std::string, int> models_asked;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "hq" && event.kind == wire::EventKind::kPeerMessage && event.envelope.verb == api::verb::kArtifactGet)
      ++models_asked[event.envelope.from.empty() ? event.caller.name : event.envelope.from];
  };
  Must(tree.StartRun(RunTree::Spec(3)));
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  // The relays fetch each model once for all of theirs.
  CHECK(models_asked.contains("north"));
  CHECK(models_asked.contains("south"));
  CHECK(models_asked.size() == 2);
}

TEST_CASE("a relay says at once that runs begin, and are kept, at the root") {
  RunTree tree;
  GrowTiers(tree);
  const auto started = tree.Ask<api::Run>("north", api::verb::kFlStart, api::StartRequest{RunTree::Spec(1), "", false});
  REQUIRE_FALSE(started);
  CHECK(started.error().id == ErrorId::kUnsupported);
  CHECK(started.error().hint == "ask at hq");
  const auto shown = tree.Ask<api::Run>("north", api::verb::kFlShow, api::NameRequest{"trial"});
  REQUIRE_FALSE(shown);
  CHECK(shown.error().id == ErrorId::kRunUnknown);
  CHECK(shown.error().hint == "ask at hq");
}

TEST_CASE("a relay lost in the middle of a round costs nothing but time") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  Must(tree.StartRun(RunTree::Spec(3)));
  tree.Until([&] { return tree.Happened("update-folded"); });
  tree.StopNode("north");
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == flat);
  CHECK(tree.Shown("clinic-a").via != "north");
}

TEST_CASE("a run whose relays fold ends with the model of the flat one, and its root fetches one sum of each relay") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  int of_relays = 0;
  int of_sites = 0;
  int folds = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" && to != "south") return;
    if (Asks(event, api::verb::kArtifactGet)) ++(event.envelope.to.empty() ? of_relays : of_sites);
    if (Asks(event, api::verb::kFlFold) && !event.envelope.body.at("work").get_binary().empty()) ++folds;
  };
  Must(tree.StartRun(Folded()));
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  CHECK(folds == 3 * 2);
  CHECK(of_relays == 3 * 2);
  CHECK(of_sites == 0);
  // The sealed models that were passed down are kept for a while; neither a sum nor an update stays.
  tree.Pass(2s);
  for (const std::string relay : {"north", "south"}) {
    CHECK(Must(Must(store::Artifacts::Open(tree.Folder(relay).path / "artifacts")).List()).size() <= 4);
  }
}

TEST_CASE("a relay that is lost while it folds costs a folded run nothing but time") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  bool asked = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || !Asks(event, api::verb::kFlFold)) return;
    asked = true;
    test::Swallow(event);
  };
  Must(tree.StartRun(Folded()));
  REQUIRE(tree.Until([&] { return asked; }));
  tree.StopNode("north");
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == flat);
  CHECK(tree.Happened("sum-failed"));
  CHECK(tree.Shown("clinic-a").via != "north");
}

TEST_CASE("a root that is killed while relays fold goes on to the same model") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  int folds = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "south" && Asks(event, api::verb::kFlFold)) ++folds;
  };
  Must(tree.StartRun(Folded()));
  REQUIRE(tree.Until([&] { return folds >= 2; }));
  tree.StopNode("hq");
  tree.StartNode("hq");
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  for (const auto& round : run.rounds) CHECK(round.participants == kTierSites);
  CHECK(run.model.digest == flat);
}

// The sum of the first relay is, byte for byte, what the root keeps of the round.
TEST_CASE("a root that is killed with the sum of one relay goes on with it") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  bool hold = true;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (!hold || to != "south" || !Asks(event, api::verb::kFlFold)) return;
    event.envelope.kind = wire::MessageKind::kReply;  // to nothing that was asked: it is passed over
    event.envelope.id = 999'999'999;
  };
  Must(tree.StartRun(Folded()));
  REQUIRE(tree.Until([&] { return tree.Happened("update-folded"); }));
  tree.StopNode("hq");
  hold = false;
  tree.StartNode("hq");
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  for (const auto& round : run.rounds) CHECK(round.participants == kTierSites);
  CHECK(run.model.digest == flat);
}

TEST_CASE("a relay folds the updates of sites that hang on relays below it") {
  const auto flat = FlatDigest();
  RunTree tree;
  tree.JoinAt("hq", "north", true);
  tree.Pass(2s);
  tree.JoinAt("north", "east", true);
  tree.Pass(3s);
  tree.JoinAt("north", "clinic-a");
  tree.JoinAt("north", "clinic-b");
  tree.JoinAt("east", "clinic-c");
  tree.JoinAt("east", "clinic-d");
  tree.Pass(6s);
  GiveData(tree);
  tree.Pass(3s);
  int sums = 0;
  int updates = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north" && Asks(event, api::verb::kArtifactGet)) ++(event.envelope.to.empty() ? sums : updates);
  };
  Must(tree.StartRun(Folded()));
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  CHECK(sums == 3);
  CHECK(updates == 0);
}

TEST_CASE(
    "a site that a relay cannot fetch from in time is in the model all the same, past the deadline of the round") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowTiers(tree);
  int lost = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "clinic-a" || !Asks(event, api::verb::kArtifactGet) || lost >= agent::Transfer::kTries) return;
    ++lost;
    test::Swallow(event);
  };
  Must(tree.StartRun(Folded()));
  // The relay gives up on the one after four times 30 seconds, and the deadline is 60.
  api::Run run;
  REQUIRE(tree.Until([&] { return (run = tree.Show()).Over(); }, 200ms));
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(lost == agent::Transfer::kTries);
  CHECK(run.rounds.front().seconds > 100);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  CHECK(tree.Happened("fold-failed"));
}
