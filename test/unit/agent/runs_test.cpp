#include <catch2/catch.hpp>

#include "core/learn/safetensors.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

namespace {

// What an undisturbed run over the same sites ends in.
std::string UndisturbedDigest(std::int64_t rounds) {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  Must(tree.StartRun(RunTree::Spec(rounds)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  return run.model.digest;
}

Bytes FetchArtifact(RunTree& tree, const std::string& digest) {
  auto client = tree.Operator("hq");
  const auto answer = Must(client.Call(api::verb::kArtifactGet, ToJson(api::ArtifactRange{digest, 0, 1 << 20}), 5s));
  const auto view = answer.blob.View();
  return {view.begin(), view.end()};
}

}  // namespace

TEST_CASE("a run over three sites finishes with a model that has learnt") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  const auto started = Must(tree.StartRun(RunTree::Spec(3)));
  CHECK(started.status == api::RunStatus::kRunning);
  CHECK(started.classes == std::vector<std::string>{"no", "yes"});
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  REQUIRE(run.rounds.size() == 3);
  for (const auto& round : run.rounds) {
    CHECK(round.participants == std::vector<std::string>{"clinic-a", "clinic-b", "clinic-c"});
    CHECK(round.bytes_up == 3 * run.model.parameters * 4);
    CHECK(round.sites.at(1).examples > 0);
  }
  REQUIRE(run.metrics.accuracy.has_value());
  CHECK(*run.metrics.accuracy > 0.8);
  CHECK(run.refused.empty());

  const auto models = Must(tree.Ask<api::ModelList>("hq", api::verb::kModelList, api::Empty{}));
  REQUIRE(models.items.size() == 1);
  CHECK(models.items.front().digest == run.model.digest);
  CHECK(models.items.front().name == "trial");
  const auto file = FetchArtifact(tree, run.model.digest);
  CHECK(std::ssize(file) == run.model.size);
  CHECK(learn::TotalCount(Must(learn::ReadSafetensors(file)).layout) == run.model.parameters);
}

TEST_CASE("a model is found by its name, its run and the beginning of its digest") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(tree.StartRun(RunTree::Spec(1)));
  const auto run = tree.Finish();
  const auto find = [&](const std::string& name) {
    return tree.Ask<api::ModelEntry>("hq", api::verb::kModelShow, api::NameRequest{name});
  };
  for (const auto& name : {std::string("trial"), run.id, run.model.digest, run.model.digest.substr(0, 16),
                           run.model.digest.substr(8, 6)}) {
    INFO(name);
    CHECK(Must(find(name)).digest == run.model.digest);
  }
  CHECK(find("other").error().id == ErrorId::kModelUnknown);
  CHECK(find(run.model.digest.substr(8, 2)).error().id == ErrorId::kModelUnknown);
}

TEST_CASE("sites keep nothing of a run that is over, and the root only the model") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(RunTree::Spec(2)));
  const auto run = tree.Finish();
  tree.Settle();
  const auto artifacts = [&](const std::string& name) {
    return Must(Must(store::Artifacts::Open(tree.Folder(name).ArtifactFolder())).List());
  };
  CHECK(artifacts("clinic-a").empty());
  CHECK(artifacts("clinic-b").empty());
  REQUIRE(artifacts("hq").size() == 1);
  CHECK(artifacts("hq").front().ToString() == run.model.digest);
}

TEST_CASE("a run survives that its root is killed at any step") {
  const auto digest = UndisturbedDigest(2);
  for (const std::string kind : {"round-started", "task-sent", "update-folded", "round-finished", "measuring"}) {
    INFO(kind);
    RunTree tree;
    tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
    Must(tree.StartRun(RunTree::Spec(2)));
    REQUIRE(tree.Until([&] { return tree.Happened(kind) || tree.Show().Over(); }));
    tree.StopNode("hq");
    tree.Pass(5s);
    tree.StartNode("hq");
    const auto run = tree.Finish();
    INFO(run.message);
    CHECK(run.status == api::RunStatus::kFinished);
    CHECK(run.model.digest == digest);
    CHECK(run.rounds.size() == 2);
  }
}

TEST_CASE("a run survives that a site is killed at any step") {
  const auto digest = UndisturbedDigest(2);
  for (const std::string kind : {"task-sent", "update-folded", "round-finished", "measuring"}) {
    INFO(kind);
    RunTree tree;
    tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
    Must(tree.StartRun(RunTree::Spec(2)));
    REQUIRE(tree.Until([&] { return tree.Happened(kind) || tree.Show().Over(); }));
    tree.StopNode("clinic-b");
    tree.Pass(5s);
    tree.StartNode("clinic-b");
    const auto run = tree.Finish();
    INFO(run.message);
    CHECK(run.status == api::RunStatus::kFinished);
    CHECK(run.model.digest == digest);
  }
}

TEST_CASE("a run survives that everything is killed after every few steps") {
  const auto digest = UndisturbedDigest(3);
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  Must(tree.StartRun(RunTree::Spec(3)));
  const std::vector<std::string> names = {"hq", "clinic-a", "clinic-b", "clinic-c"};
  for (int kill = 0; kill < 12 && !tree.Show().Over(); ++kill) {
    for (const auto& name : names) tree.StopNode(name);
    for (const auto& name : names) tree.StartNode(name);
    // Far enough to connect, and each time a little further.
    for (int i = 0; i < 20 + 5 * kill; ++i) {
      tree.clock.Advance(100ms);
      tree.Settle(1);
    }
  }
  const auto run = tree.Finish();
  INFO(run.message);
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == digest);
}

TEST_CASE("a site that is away past the deadline is left out, said so, and back in the next round") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  auto spec = RunTree::Spec(30);
  spec.sites.minimum = 2;
  Must(tree.StartRun(spec));
  REQUIRE(tree.Until([&] { return !tree.Show().rounds.empty(); }));
  tree.StopNode("clinic-c");
  REQUIRE(tree.Until([&] { return tree.Happened("site-left-out"); }, 2s));
  tree.StartNode("clinic-c");
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  const auto out = std::ranges::find_if(run.rounds, [](const auto& round) { return !round.left_out.empty(); });
  REQUIRE(out != run.rounds.end());
  CHECK(out->left_out == std::vector<std::string>{"clinic-c"});
  CHECK(out->participants == std::vector<std::string>{"clinic-a", "clinic-b"});
  CHECK(std::ranges::any_of(out, run.rounds.end(), [](const auto& round) { return round.participants.size() == 3; }));
}

TEST_CASE("fewer sites than the minimum pause a run, and it names who is missing") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-b");
  tree.Pass(30s);
  auto spec = RunTree::Spec(2);
  spec.sites.minimum = 2;
  const auto started = Must(tree.StartRun(spec));
  CHECK(started.status == api::RunStatus::kPaused);
  CHECK(started.message.find("clinic-b") != std::string::npos);
  tree.Pass(60s);
  CHECK(tree.Show().status == api::RunStatus::kPaused);
  tree.StartNode("clinic-b");
  CHECK(tree.Finish().status == api::RunStatus::kFinished);
}

TEST_CASE("the same request starts one run, another content is a conflict") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  auto spec = RunTree::Spec(1);
  spec.name.clear();
  const auto first = Must(tree.StartRun(spec, "req-1"));
  CHECK(Must(tree.StartRun(spec, "req-1")).id == first.id);
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.Settle();
  CHECK(Must(tree.StartRun(spec, "req-1")).id == first.id);
  auto other = spec;
  other.rounds = 2;
  CHECK(tree.StartRun(other, "req-1").error().id == ErrorId::kConflict);
  CHECK(Must(tree.Ask<api::RunList>("hq", api::verb::kFlList, api::Empty{})).items.size() == 1);
}

TEST_CASE("a run's name is taken for good") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(tree.StartRun(RunTree::Spec(1)));
  CHECK(tree.StartRun(RunTree::Spec(1)).error().id == ErrorId::kConflict);
  tree.Finish();
  CHECK(tree.StartRun(RunTree::Spec(1)).error().id == ErrorId::kConflict);
}

TEST_CASE("a dry run says who would take part and leaves nothing") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-b");
  tree.Pass(30s);
  const auto run = Must(tree.StartRun(RunTree::Spec(1), {}, true));
  CHECK(run.message == "would take part: clinic-a; not reachable now: clinic-b; relays: carry; an update is 24 B");
  CHECK(run.status == api::RunStatus::kPending);
  CHECK(Must(tree.Ask<api::RunList>("hq", api::verb::kFlList, api::Empty{})).items.empty());
}

TEST_CASE("a run without sites is refused, and nothing of it remains") {
  RunTree tree;
  tree.Join("clinic-a");
  CHECK(tree.StartRun(RunTree::Spec(1)).error().id == ErrorId::kNoSites);
  CHECK(Must(tree.Ask<api::RunList>("hq", api::verb::kFlList, api::Empty{})).items.empty());
  CHECK(tree.Ask<api::Run>("hq", api::verb::kFlShow, api::NameRequest{"trial"}).error().id == ErrorId::kRunUnknown);
}

TEST_CASE("a cancelled run ends at once, and cancelling twice is the same") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(RunTree::Spec(500)));
  REQUIRE(tree.Until([&] { return !tree.Show().rounds.empty(); }));
  const auto cancel = [&] { return tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}); };
  CHECK(Must(cancel()).status == api::RunStatus::kCancelled);
  CHECK(Must(cancel()).status == api::RunStatus::kCancelled);
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.Settle();
  CHECK(tree.Show().status == api::RunStatus::kCancelled);
}

TEST_CASE("a run whose sites keep something and that was cancelled between two answers is taken up to the same model") {
  auto spec = RunTree::Spec(4);
  spec.sites.minimum = 2;
  spec.sites.deadline = "1h";
  SECTION("what top-k left out") { spec.compression = {api::CompressionKind::kTopK, 8, 0.3}; }
  SECTION("control variates") { spec.strategy.kind = api::StrategyKind::kScaffold; }
  const auto digest_of = [](RunTree& tree) {
    const auto run = tree.Finish();
    INFO(run.message);
    REQUIRE(run.status == api::RunStatus::kFinished);
    return run.model.digest;
  };
  RunTree calm;
  calm.JoinSites({"clinic-a", "clinic-b"});
  Must(calm.StartRun(spec));
  const auto want = digest_of(calm);

  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  int offers = 0;
  bool lost = true;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    const bool offer = to == "hq" && event.kind == wire::EventKind::kPeerMessage && event.caller.name == "clinic-b" &&
                       event.envelope.kind == wire::MessageKind::kRequest && event.envelope.verb == api::verb::kFlOffer;
    if (!offer || !lost || ++offers == 1) return;
    event.envelope.kind = wire::MessageKind::kReply;
    event.envelope.id = 999'999'999;
  };
  Must(tree.StartRun(spec));
  // The first site has answered the second round, and adds to what it keeps as it does.
  const auto folded = [&] {
    for (const auto& event : tree.Events()) {
      if (event.kind == "update-folded" && event.round == 2 && event.cluster == "clinic-a") return true;
    }
    return false;
  };
  REQUIRE(tree.Until([&] { return folded() && offers > 1; }));
  Must(tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}));
  tree.Pass(2s);
  lost = false;
  Must(tree.Ask<api::Run>("hq", api::verb::kFlResume, api::NameRequest{"trial"}));
  CHECK(digest_of(tree) == want);
}

TEST_CASE("a finished run cannot be cancelled") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(tree.StartRun(RunTree::Spec(1)));
  tree.Finish();
  CHECK(tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}).error().id == ErrorId::kConflict);
}

TEST_CASE("a follower sees every event once, in order, and then the run") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(RunTree::Spec(5)));
  std::vector<api::RunEvent> events;
  auto client = tree.Operator("hq");
  const auto last = Must(client.Stream(api::verb::kFlWatch, ToJson(api::WatchRequest{"trial", 0, true}), 30s,
                                       [&](wire::Envelope&& item) -> Result<void> {
                                         OTE_TRY(auto event, FromWire<api::RunEvent>(item.body));
                                         events.push_back(std::move(event));
                                         tree.clock.Advance(5ms);
                                         return {};
                                       }));
  CHECK(Must(FromWire<api::Run>(last.body)).status == api::RunStatus::kFinished);
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().kind == "run-finished");
  const auto recorded = tree.Events();
  REQUIRE(events.size() == recorded.size());
  for (std::size_t i = 0; i < events.size(); ++i) CHECK(events[i].seq == recorded[i].seq);
  const auto half = recorded[recorded.size() / 2].seq;
  CHECK(tree.Events("trial", half).front().seq > half);
}
