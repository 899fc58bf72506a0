// Relays that fold and hang, lose what they were asked for, or are slow; and sites that let no relay read an update.
#include <catch2/catch.hpp>

#include "agent/tree/fold_calls.h"
#include "agent/tree/fold_desk.h"
#include "agent/tree/tree_parts.h"
#include "core/federate/compress/update_form.h"
#include "test/fake/tiers.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::FoldCalls;
using test::Asks;
using test::FlatDigest;
using test::GrowThreeTiers;
using test::GrowTiers;
using test::kTierSites;
using test::Must;
using test::RunTree;
using test::Swallow;

namespace {

// No round of it ends before all have answered.
api::RunSpec Patient(std::int64_t rounds, api::RelayKind relays = api::RelayKind::kFold) {
  auto spec = RunTree::Spec(rounds);
  spec.relays = relays;
  spec.sites.deadline = "1h";
  return spec;
}

bool HasWork(const wire::Event& event) { return !event.envelope.body.at("work").get_binary().empty(); }

// When something began to go wrong.
struct Trouble {
  RunTree& tree;
  bool begun = false;
  UnixMillis at = 0;

  void Begin() {
    if (std::exchange(begun, true)) return;
    at = tree.clock.WallNow();
  }
  // Until the first event of this kind.
  std::chrono::milliseconds Until(const std::string& kind) const {
    for (const auto& event : tree.Events()) {
      if (event.kind == kind) return std::chrono::milliseconds(event.at - at);
    }
    FAIL("no " << kind);
    return {};
  }
};

api::Run Finish(RunTree& tree) {
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  return run;
}
// What is waited for takes long by the clock of the tree, and by no other: it goes fast from then on.
api::Run Finish(RunTree& tree, const Trouble& trouble) {
  tree.Until([&] { return trouble.begun || tree.Show().Over(); });
  std::string told;
  for (const auto& event : tree.Events()) told += event.kind + " " + event.cluster + " " + event.message + "\n";
  INFO(told);
  REQUIRE(trouble.begun);
  REQUIRE(tree.Until([&] { return tree.Show().Over(); }, 200ms));
  return Finish(tree);
}

void RefuseFolding(RunTree& tree, const std::string& site) {
  api::DataAddRequest closed;
  closed.dataset.name = "points";
  closed.dataset.path = tree.scratch() / (site + ".csv");
  closed.dataset.label = "label";
  closed.dataset.fold = api::FoldPolicy::kRefuse;
  closed.replace = true;
  Must(tree.Ask<api::Dataset>(site, api::verb::kDataAdd, closed));
  tree.Pass(1s);
}

void ForgetRefusal(Json& body) {
  if (!body.is_structured()) return;
  if (body.is_object() && body.contains("fold") && body.at("fold") == "refuse") body["fold"] = "allow";
  for (auto& part : body) ForgetRefusal(part);
}

}  // namespace

TEST_CASE("a relay that takes what it is to fold and never answers is given up, and its sites are fetched from") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  Trouble trouble{tree};
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || !Asks(event, api::verb::kFlFold)) return;
    Swallow(event);
    trouble.Begin();
  };
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree, trouble);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  // As long as it may be silent, and a heartbeat to notice.
  CHECK(trouble.Until("sum-failed") >= FoldCalls::kSilence);
  CHECK(trouble.Until("sum-failed") < FoldCalls::kSilence + 6s);
}

TEST_CASE("relays fold compressed updates, and what sites kept of them makes the next ones") {
  for (const auto kind : {api::CompressionKind::kQuantize, api::CompressionKind::kTopK}) {
    const auto digest = [kind](api::RelayKind relays) {
      RunTree tree;
      GrowTiers(tree);
      auto spec = Patient(3, relays);
      spec.compression = {kind, 4, 0.2};
      Must(tree.StartRun(spec));
      const auto run = Finish(tree);
      CHECK_FALSE(tree.Happened("fold-failed"));
      CHECK_FALSE(tree.Happened("sum-failed"));
      CHECK(run.rounds.back().participants == kTierSites);
      const federate::UpdateForm form{spec.compression, static_cast<std::size_t>(run.model.parameters), 1};
      CHECK(run.rounds.back().bytes_up == static_cast<std::int64_t>(4 * federate::SizeOf(form)));
      return run.model.digest;
    };
    CHECK(digest(api::RelayKind::kFold) == digest(api::RelayKind::kCarry));
  }
}

TEST_CASE("a relay that stands still while it folds is given up as one that is lost") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  Trouble trouble{tree};
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || trouble.begun || !Asks(event, api::verb::kFlFold)) return;
    trouble.Begin();
    Swallow(event);
    tree.Hold("north", [] { return false; });
  };
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree, trouble);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(trouble.Until("sum-failed") < 15s);  // three heartbeats
}

TEST_CASE("a relay that has lost what it was asked for is given up as soon as it says so") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  Trouble trouble{tree};
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || !Asks(event, api::verb::kFlFold) || !HasWork(event)) return;
    Swallow(event);
    trouble.Begin();
  };
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree, trouble);
  CHECK(run.model.digest == flat);
  CHECK(trouble.Until("sum-failed") < 6s);  // it is asked after one heartbeat
}

TEST_CASE("a relay that is slow and gets on is waited for past the time in which one that hangs is given up") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  Trouble trouble{tree};
  std::map<std::string, int> lost;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    // The first pieces that it asks of its sites come too late: three times 30 seconds and then it gets on.
    const bool site = to == "clinic-a" || to == "clinic-b";
    if (!site || !Asks(event, api::verb::kArtifactGet) || lost[to]++ >= agent::Transfer::kTries - 1) return;
    Swallow(event);
    trouble.Begin();
  };
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree, trouble);
  CHECK(run.model.digest == flat);
  CHECK(trouble.Until("round-finished") > 2 * FoldCalls::kSilence);
  CHECK_FALSE(tree.Happened("sum-failed"));
  CHECK_FALSE(tree.Happened("fold-failed"));
}

TEST_CASE("a relay that answers and gets no further is given up when no site could still hold it up") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  Trouble trouble{tree};
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    // Its sum never leaves it: the answer to the work is passed over, and its word how far it is comes.
    const bool answer = to == "hq" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "north" &&
                        event.envelope.kind != wire::MessageKind::kRequest;
    if (answer && event.envelope.body.contains("folded") && !event.envelope.body.at("folded").empty()) {
      event.envelope.id = 999'999'999;
      trouble.Begin();
    }
    const bool stale = answer && event.envelope.kind == wire::MessageKind::kError;
    if (!stale) return;
    event.envelope.kind = wire::MessageKind::kReply;
    event.envelope.body = ToJson(api::FoldReply{});
    event.envelope.body["progress"] = 1;
  };
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree, trouble);
  CHECK(run.model.digest == flat);
  CHECK(trouble.Until("sum-failed") >= FoldCalls::kStall);
  CHECK(trouble.Until("sum-failed") < FoldCalls::kStall + 12s);
}

TEST_CASE("a relay that was given up lets go of what it was asked for at once") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  const auto at_work = [&] { return tree.Node("north").tree().folds()->AtWork(); };
  bool asked = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    // It says nothing of how far it is, and gets nothing to fold.
    if (to == "north" && Asks(event, api::verb::kFlFold)) HasWork(event) ? void(asked = true) : Swallow(event);
    if ((to == "clinic-a" || to == "clinic-b") && Asks(event, api::verb::kArtifactGet) && at_work() > 0) Swallow(event);
  };
  Must(tree.StartRun(Patient(1)));
  REQUIRE(tree.Until([&] { return asked && at_work() == 1; }));
  REQUIRE(tree.Until([&] { return tree.Happened("sum-failed"); }, 200ms));
  tree.Settle();
  CHECK(at_work() == 0);
  CHECK(Finish(tree).model.digest == flat);
}

TEST_CASE("the update of a site that refuses to be folded goes past its relay sealed, and the others are folded") {
  const auto add_fifth = [](RunTree& tree) {
    Must(tree.AddData("clinic-e", "points", tree.WriteData("clinic-e", RunTree::Csv(9, 40))));
  };
  RunTree flat;
  for (const auto& site : kTierSites) flat.Join(site);
  flat.Join("clinic-e");
  test::GiveData(flat);
  add_fifth(flat);
  Must(flat.StartRun(Patient(2, api::RelayKind::kCarry)));

  RunTree tree;
  GrowTiers(tree);
  tree.JoinAt("north", "clinic-e");
  tree.Pass(2s);
  add_fifth(tree);  // so that north still has two to fold
  RefuseFolding(tree, "clinic-a");
  CHECK(tree.Shown("clinic-a").datasets.front().fold == api::FoldPolicy::kRefuse);
  const auto dry = Must(tree.StartRun(Patient(2), {}, true));
  CHECK_THAT(dry.message, Catch::Contains("relays: fold") && Catch::Contains("clinic-a refuses"));

  std::map<std::string, int> sealed_past;
  int sums = 0;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to != "north" || !Asks(event, api::verb::kArtifactGet)) return;
    event.envelope.to.empty() ? ++sums : ++sealed_past[event.envelope.to];
  };
  Must(tree.StartRun(Patient(2)));
  const auto run = Finish(tree);
  CHECK(run.rounds.front().participants.size() == 5);
  CHECK(run.model.digest == flat.Finish().model.digest);
  CHECK(sums == 2);
  CHECK(sealed_past == std::map<std::string, int>{{"clinic-a", 2}});
  CHECK_FALSE(tree.Happened("fold-failed"));
}

TEST_CASE("an offer of a data set that refuses to be folded names no stream") {
  const auto flat = FlatDigest(1);
  RunTree tree;
  GrowTiers(tree);
  // As before a root that does not know what its sites refuse.
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to != "clinic-a") ForgetRefusal(event.envelope.body);
  };
  RefuseFolding(tree, "clinic-a");
  CHECK(tree.Shown("clinic-a").datasets.front().fold == api::FoldPolicy::kAllow);
  Must(tree.StartRun(Patient(1)));
  const auto run = Finish(tree);
  CHECK(run.model.digest == flat);
  CHECK(run.rounds.front().participants == kTierSites);
  bool said = false;
  for (const auto& event : tree.Events()) {
    said = said || (event.kind == "fold-failed" && event.cluster == "clinic-a" &&
                    event.message.find("did not say what its update is sealed with") != std::string::npos);
  }
  CHECK(said);
}

namespace {

// What is asked of a relay: sums of its own, and what it carries of others.
struct Counted {
  int folds = 0;
  int sums = 0;
  int carried = 0;

  void Count(const wire::Event& event) {
    if (Asks(event, api::verb::kFlFold) && HasWork(event)) ++folds;
    if (Asks(event, api::verb::kArtifactGet)) ++(event.envelope.to.empty() ? sums : carried);
  }
};

}  // namespace

TEST_CASE("relays below a relay fold too, and a fold of folds ends with the model of the flat run") {
  const auto flat = FlatDigest();
  RunTree tree;
  GrowThreeTiers(tree);
  Counted north;
  Counted east;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north") north.Count(event);
    if (to == "east") east.Count(event);
  };
  Must(tree.StartRun(Patient(3)));
  const auto run = Finish(tree);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  for (const auto& relay : {north, east}) {
    CHECK(relay.folds == 3);
    CHECK(relay.sums == 3);
    CHECK(relay.carried == 0);
  }
}

TEST_CASE("what a relay below does not fold, the relay above it fetches and folds itself") {
  const auto flat = FlatDigest(1);
  const auto trouble = GENERATE(as<std::string>(), "silent", "lies", "lost");
  INFO(trouble);
  RunTree tree;
  GrowThreeTiers(tree);
  Counted north;
  Counted east;
  Trouble troubled{tree};
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (to == "north") north.Count(event);
    if (to == "east") east.Count(event);
    if (to == "east" && Asks(event, api::verb::kFlFold) && trouble != "lies") {
      Swallow(event);
      troubled.Begin();
    }
    const bool sum = to == "north" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "east" &&
                     event.envelope.kind == wire::MessageKind::kReply && event.envelope.body.contains("folded");
    // One more is in it than it says.
    if (sum && trouble == "lies" && event.envelope.body.at("folded").size() == 3) {
      event.envelope.body["folded"].erase(0);
      troubled.Begin();
    }
  };
  Must(tree.StartRun(Patient(1)));
  if (trouble == "lost") {
    REQUIRE(tree.Until([&] { return troubled.begun; }));
    tree.StopNode("east");
  }
  const auto run = Finish(tree, troubled);
  CHECK(run.rounds.front().participants == kTierSites);
  CHECK(run.model.digest == flat);
  CHECK(east.folds == 1);
  if (trouble != "lost") {
    CHECK(east.carried == 3);
    CHECK(north.sums == 1);
    CHECK(north.carried == 0);
  }
}
