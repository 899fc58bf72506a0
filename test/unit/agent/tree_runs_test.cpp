// Federated runs whose sites hang on relays.
#include <catch2/catch.hpp>

#include "agent/tree/tree_parts.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

namespace {

const std::vector<std::string> kSites{"clinic-a", "clinic-b", "clinic-c", "clinic-d"};

// The same data at the same names, wherever they hang.
void GiveData(RunTree& tree) {
  int seed = 0;
  for (const auto& site : kSites) {
    ++seed;
    Must(tree.AddData(site, "points", tree.WriteData(site, RunTree::Csv(seed, 60 + 20 * seed))));
  }
}

void GrowTiers(RunTree& tree) {
  tree.JoinAt("hq", "north", true);
  tree.JoinAt("hq", "south", true);
  tree.Pass(2s);
  tree.JoinAt("north", "clinic-a");
  tree.JoinAt("north", "clinic-b");
  tree.JoinAt("south", "clinic-c");
  tree.JoinAt("south", "clinic-d");
  tree.Pass(3s);
  GiveData(tree);
  tree.Pass(1s);
}

std::string FlatDigest() {
  RunTree tree;
  for (const auto& site : kSites) tree.Join(site);
  GiveData(tree);
  Must(tree.StartRun(RunTree::Spec(3)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  return run.model.digest;
}

}  // namespace

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
  CHECK(run.rounds.front().participants == kSites);
  CHECK(run.model.digest == flat);
  // The relays fetch each model once for all of theirs.
  CHECK(models_asked.contains("north"));
  CHECK(models_asked.contains("south"));
  CHECK(models_asked.size() == 2);
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
