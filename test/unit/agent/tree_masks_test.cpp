// Masked runs whose relays add up what they cannot read.
#include <catch2/catch.hpp>

#include "agent/tree/fold_desk.h"
#include "agent/tree/tree_parts.h"
#include "test/fake/tiers.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Asks;
using test::GrowThreeTiers;
using test::GrowTiers;
using test::kTierSites;
using test::Must;
using test::RunTree;
using test::Swallow;

namespace {

api::RunSpec Masked(std::int64_t rounds = 2, api::RelayKind relays = api::RelayKind::kFold) {
  auto spec = RunTree::Spec(rounds);
  spec.relays = relays;
  spec.masks.kind = api::MaskKind::kPairwise;
  spec.sites.minimum = 3;
  spec.sites.deadline = "1h";  // no step of it ends before all have answered
  return spec;
}

std::string CarriedDigest(std::int64_t rounds = 2) { return test::FlatDigest(Masked(rounds, api::RelayKind::kCarry)); }

bool HasWork(const wire::Event& event) { return !event.envelope.body.at("work").get_binary().empty(); }

// What a relay is asked for: sums to make, sums that it made, and what it carries of others.
struct Counted {
  int folds = 0;
  int sums = 0;
  int carried = 0;

  void Count(const wire::Event& event) {
    if (Asks(event, api::verb::kFlFold) && HasWork(event)) ++folds;
    if (Asks(event, api::verb::kArtifactGet)) ++(event.envelope.to.empty() ? sums : carried);
  }
  // The measures of the finished model are small: those of each of the `sites` behind a relay are carried.
  void Check(int each, int sites) const {
    CHECK(folds == each);
    CHECK(sums == each);
    CHECK(carried == sites);
  }
};

api::Run Finish(RunTree& tree, std::chrono::milliseconds step = 20ms) {
  api::Run run;
  tree.Until([&] { return (run = tree.Show()).Over(); }, step);
  std::string told;
  for (const auto& event : tree.Events()) told += event.kind + " " + event.cluster + " " + event.message + "\n";
  INFO(told);
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  return run;
}

}  // namespace

TEST_CASE("a masked run whose relays fold ends with the model of the flat one, and its root fetches one sum of each") {
  const auto flat = CarriedDigest();
  RunTree tree;
  GrowTiers(tree);
  std::map<std::string, Counted> relays;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north" || to == "south") relays[to].Count(event);
  };
  const auto dry = Must(tree.StartRun(Masked(), {}, true));
  CHECK_THAT(dry.message, Catch::Contains("relays: fold, masked updates of which they read none"));
  Must(tree.StartRun(Masked()));
  const auto run = Finish(tree);
  CHECK(run.model.digest == flat);
  for (const auto& round : run.rounds) CHECK(round.participants == kTierSites);
  for (const auto* relay : {"north", "south"}) relays[relay].Check(2, 2);
  // A sum stays nowhere, and no masked update does.
  tree.Pass(2s);
  for (const std::string relay : {"north", "south"}) {
    CHECK(Must(Must(store::Artifacts::Open(tree.Folder(relay).path / "artifacts")).List()).size() <= 4);
  }
}

TEST_CASE("relays below a relay fold masked updates too, and a fold of folds ends with the model of the flat run") {
  const auto flat = CarriedDigest();
  RunTree tree;
  GrowThreeTiers(tree);
  std::map<std::string, Counted> relays;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north" || to == "east") relays[to].Count(event);
  };
  Must(tree.StartRun(Masked()));
  const auto run = Finish(tree);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  relays["north"].Check(2, 4);
  relays["east"].Check(2, 3);
}

TEST_CASE("a masked sum of a relay below that is not of the sites it names is not taken by the relay above") {
  const auto flat = CarriedDigest(1);
  RunTree tree;
  GrowThreeTiers(tree);
  std::map<std::string, Counted> relays;
  bool lied = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north" || to == "east") relays[to].Count(event);
    const bool sum = to == "north" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "east" &&
                     event.envelope.kind == wire::MessageKind::kReply && event.envelope.body.contains("folded");
    // One more is in it than it says.
    if (sum && event.envelope.body.at("folded").size() == 3) event.envelope.body["folded"].erase(0), lied = true;
  };
  Must(tree.StartRun(Masked(1)));
  const auto run = Finish(tree);
  CHECK(lied);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(relays["east"].carried == 3 + 3);
  relays["north"].Check(1, 4);
}

TEST_CASE("a relay that is lost with a masked sum costs nothing but time: its sites' updates are fetched") {
  const auto flat = CarriedDigest(1);
  RunTree tree;
  GrowTiers(tree);
  bool asked = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || !Asks(event, api::verb::kFlFold)) return;
    Swallow(event);
    asked = true;
  };
  Must(tree.StartRun(Masked(1)));
  REQUIRE(tree.Until([&] { return asked; }));
  tree.StopNode("north");
  const auto run = Finish(tree);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(tree.Happened("sum-failed"));
  CHECK(tree.Shown("clinic-a").via != "north");
}

TEST_CASE("a root that is killed with the masked sum of one relay goes on with it") {
  const auto flat = CarriedDigest(1);
  RunTree tree;
  GrowTiers(tree);
  bool hold = true;
  int again = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (hold && to == "south" && Asks(event, api::verb::kFlFold)) return Swallow(event);
    if (!hold && to == "north" && Asks(event, api::verb::kFlFold) && HasWork(event)) ++again;
  };
  Must(tree.StartRun(Masked(1)));
  REQUIRE(tree.Until([&] { return tree.Happened("update-folded"); }));
  tree.StopNode("hq");
  hold = false;
  tree.StartNode("hq");
  const auto run = Finish(tree);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(again == 0);  // what it brought is on the root's disk
}

TEST_CASE("a site that is lost before its relay has its masked update is not among those that the sum is of") {
  RunTree tree;
  GrowTiers(tree);
  bool asked = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "clinic-a" || !Asks(event, api::verb::kArtifactGet)) return;
    Swallow(event);
    asked = true;
  };
  auto spec = Masked(1);
  spec.sites.deadline = "120s";
  Must(tree.StartRun(spec));
  REQUIRE(tree.Until([&] { return asked; }));
  tree.StopNode("clinic-a");
  const auto run = Finish(tree, 200ms);
  CHECK(run.rounds.front().participants == std::vector<std::string>{"clinic-b", "clinic-c", "clinic-d"});
  CHECK(run.rounds.front().left_out == std::vector<std::string>{"clinic-a"});
}

TEST_CASE("the masked update of a site that refuses to be folded goes past its relay sealed") {
  const auto flat = CarriedDigest(1);
  RunTree tree;
  GrowTiers(tree);
  api::DataAddRequest closed;
  closed.dataset.name = "points";
  closed.dataset.path = tree.scratch() / "clinic-a.csv";
  closed.dataset.label = "label";
  closed.dataset.fold = api::FoldPolicy::kRefuse;
  closed.replace = true;
  Must(tree.Ask<api::Dataset>("clinic-a", api::verb::kDataAdd, closed));
  tree.Pass(1s);
  std::map<std::string, int> past;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north" && Asks(event, api::verb::kArtifactGet)) ++past[event.envelope.to];
  };
  Must(tree.StartRun(Masked(1)));
  CHECK(Finish(tree).model.digest == flat);
  // Only one of north's two is left to fold, and it comes by itself; then the measures of both.
  CHECK(past == std::map<std::string, int>{{"clinic-a", 2}, {"clinic-b", 2}});
}
