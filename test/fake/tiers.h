// Four sites behind two relays, with data sets and runs over them.
#pragma once

#include <string>
#include <vector>

#include "test/fake/run_tree.h"

namespace ote::test {

inline const std::vector<std::string> kTierSites{"clinic-a", "clinic-b", "clinic-c", "clinic-d"};

// The same data at the same names, wherever they hang.
inline void GiveData(RunTree& tree) {
  int seed = 0;
  for (const auto& site : kTierSites) {
    ++seed;
    Must(tree.AddData(site, "points", tree.WriteData(site, RunTree::Csv(seed, 60 + 20 * seed))));
  }
}

inline void GrowTiers(RunTree& tree) {
  tree.JoinAt("hq", "north", true);
  tree.JoinAt("hq", "south", true);
  tree.Pass(std::chrono::seconds(2));
  tree.JoinAt("north", "clinic-a");
  tree.JoinAt("north", "clinic-b");
  tree.JoinAt("south", "clinic-c");
  tree.JoinAt("south", "clinic-d");
  tree.Pass(std::chrono::seconds(3));
  GiveData(tree);
  tree.Pass(std::chrono::seconds(1));
}

// hq > north > east > clinic-b, clinic-c, clinic-d; and clinic-a right behind north.
inline void GrowThreeTiers(RunTree& tree) {
  tree.JoinAt("hq", "north", true);
  tree.Pass(std::chrono::seconds(2));
  tree.JoinAt("north", "east", true);
  tree.Pass(std::chrono::seconds(3));
  tree.JoinAt("north", "clinic-a");
  for (const auto* site : {"clinic-b", "clinic-c", "clinic-d"}) tree.JoinAt("east", site);
  tree.Pass(std::chrono::seconds(6));
  GiveData(tree);
  tree.Pass(std::chrono::seconds(3));
}

// Of the model of the run over the same sites with no relay.
inline std::string FlatDigest(api::RunSpec spec) {
  RunTree tree;
  for (const auto& site : kTierSites) tree.Join(site);
  GiveData(tree);
  spec.sites.deadline = "1h";  // training takes real time, which may be long by the clock of the tree
  Must(tree.StartRun(spec));
  const auto run = tree.Finish();
  return run.status == api::RunStatus::kFinished ? run.model.digest : "the flat run did not finish: " + run.message;
}
inline std::string FlatDigest(std::int64_t rounds = 3) { return FlatDigest(RunTree::Spec(rounds)); }

inline api::RunSpec Folded(std::int64_t rounds = 3) {
  auto spec = RunTree::Spec(rounds);
  spec.relays = api::RelayKind::kFold;
  return spec;
}

// Whether a parent asks its child for this.
inline bool Asks(const wire::Event& event, std::string_view verb) {
  return event.kind == wire::EventKind::kLinkMessage && event.envelope.kind == wire::MessageKind::kRequest &&
         event.envelope.verb == verb;
}
// Makes of a request an answer to nothing that was asked, which is passed over.
inline void Swallow(wire::Event& event) {
  event.envelope.kind = wire::MessageKind::kReply;
  event.envelope.id = 999'999'999;
}

}  // namespace ote::test
