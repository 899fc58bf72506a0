// What is on the way between the clusters of a run, and what becomes of it when somebody there changes it.
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "agent/worker.h"
#include "core/parcel/streams.h"
#include "core/site/task_records.h"
#include "core/store/sealed_artifacts.h"
#include "test/fake/puppet.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Puppet;
using test::RunTree;

namespace {

bool Holds(ByteView bytes, ByteView part) {
  return std::search(bytes.begin(), bytes.end(), part.begin(), part.end()) != bytes.end();
}
bool OfARun(std::string_view verb) { return verb.starts_with("fl.") || verb.starts_with("artifact."); }

std::int64_t Refused(const api::Run& run, ErrorId id) {
  for (const auto& refusal : run.refused) {
    if (refusal.reason == Error{id, {}, {}}.Code()) return refusal.count;
  }
  return 0;
}

std::string UndisturbedDigest(std::int64_t rounds) {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(RunTree::Spec(rounds)));
  return tree.Finish().model.digest;
}

// A model of more pieces than are asked for at a time.
api::RunSpec Large() {
  auto spec = RunTree::Spec(1);
  spec.model.kind = api::ModelKind::kMlp;
  spec.model.hidden = {1000, 1000};
  spec.training.epochs = 1;
  return spec;
}

}  // namespace

TEST_CASE("between clusters a run shows neither model, updates, tasks, answers nor names") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  std::vector<Bytes> seen;
  std::vector<std::string> streams;
  std::size_t parcels = 0;
  tree.on_the_way = [&](const std::string&, wire::Event& event) {
    const auto& envelope = event.envelope;
    if (event.caller.kind == wire::CallerKind::kOperator || !OfARun(envelope.verb)) return;
    parcels += envelope.body.contains("signature") ? 1U : 0U;
    seen.push_back(wire::EncodeHeader(envelope));
    const auto blob = envelope.blob.View();
    if (blob.empty()) return;
    seen.emplace_back(blob.begin(), blob.end());
    streams.emplace_back(AsText(blob.first(8)));
  };
  Must(tree.StartRun(RunTree::Spec(2)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(parcels >= 10);  // two sites; two rounds and a measuring; tasks and offers
  REQUIRE(streams.size() >= 8);
  CHECK(std::ranges::all_of(streams, [](const auto& stream) { return stream == "OTESEAL1"; }));
  auto artifacts = Must(store::Artifacts::Open(tree.Folder("hq").ArtifactFolder()));
  const auto model = Must(artifacts.Get(run.model.digest));
  const auto values = ByteView(model).last(12);
  for (const auto& bytes : seen) {
    CHECK_FALSE(Holds(bytes, values));
    for (const std::string_view word : {"points", "__metadata__", "softmax", "examples", "accuracy", "modelDigest"}) {
      INFO(word);
      CHECK_FALSE(Holds(bytes, AsBytes(word)));
    }
  }
}

TEST_CASE("a task that is altered on its way is refused with its reason, and the run goes on without the site") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to != "clinic-b" || event.envelope.verb != api::verb::kFlTask) return;
    auto body = event.envelope.body["body"].get_binary();
    body[body.size() / 2] ^= 1;
    event.envelope.body["body"] = Json::binary(body);
  };
  Must(tree.StartRun(RunTree::Spec(1)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  const auto& round = run.rounds.front();
  CHECK(round.participants == std::vector<std::string>{"clinic-a"});
  REQUIRE(round.failed.size() == 1);
  CHECK(round.failed.front().code == Error{ErrorId::kSignatureInvalid, {}, {}}.Code());
  CHECK(round.failed.front().message.find("a task of run " + run.id) != std::string::npos);
}

TEST_CASE("what is altered once is sent anew, and the run ends in the same model") {
  const auto digest = UndisturbedDigest(2);
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  std::map<std::string, int> altered;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    const bool parcel = event.envelope.verb == api::verb::kFlTask || event.envelope.verb == api::verb::kFlOffer;
    if (!parcel || !event.envelope.body.contains("signature") || ++altered[to + event.envelope.verb] > 1) return;
    auto signature = event.envelope.body["signature"].get_binary();
    signature[3] ^= 1;
    event.envelope.body["signature"] = Json::binary(signature);
  };
  Must(tree.StartRun(RunTree::Spec(2)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(altered.size() == 3);  // tasks to each site, and offers to the root
  CHECK(run.model.digest == digest);
  CHECK(run.rounds.front().participants.size() == 2);
}

TEST_CASE("an update that is altered on its way is refused, and the run goes on without the site") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to != "hq" || event.caller.name != "clinic-b" || event.envelope.blob.size() == 0) return;
    const auto view = event.envelope.blob.View();
    auto bytes = std::make_shared<Bytes>(view.begin(), view.end());
    bytes->back() ^= 1;
    event.envelope.blob = wire::Blob(*bytes, bytes);
  };
  Must(tree.StartRun(RunTree::Spec(1)));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.front().participants == std::vector<std::string>{"clinic-a"});
  CHECK(Refused(run, ErrorId::kUpdateDigest) == 1);
}

TEST_CASE("an update that does not open is refused and counted, and the run goes on without the site") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-b");
  Puppet b(tree, "clinic-b");
  auto spec = RunTree::Spec(1);
  const auto run = Must(tree.StartRun(spec));
  REQUIRE(tree.Until([&] {
    b.Pump();
    return b.Has(run.id, 1);
  }));
  const Bytes update(static_cast<std::size_t>(run.model.parameters) * 4);
  api::UpdateOffer offer;
  offer.run = run.id;
  offer.round = 1;
  offer.digest = crypto::DigestOf(update).ToString();
  offer.size = std::ssize(update);
  offer.examples = 10;
  SECTION("since it is no stream") {
    const auto copy = b.Serve(Bytes(crypto::SealedSize(update.size()), 5));
    CHECK(b.Offer(offer, copy) == ErrorId{});
  }
  SECTION("since it was sealed for another round") {
    auto other = offer;
    other.round = 2;
    const auto secret = parcel::UpdateSecret(crypto::SigningKey::Generate());
    auto sealer = Must(parcel::SealerOfUpdate(other, "clinic-b", b.Task(run.id, 1).seals.answer_key, secret));
    Bytes sealed(sealer.Header().begin(), sealer.Header().end());
    sealed.resize(crypto::SealedSize(update.size()));
    sealer.Next(update, true, std::span(sealed).subspan(crypto::kSealedHeader));
    CHECK(b.Offer(offer, b.Serve(sealed)) == ErrorId{});
  }
  SECTION("since its size cannot be") {
    CHECK(b.Offer(offer, {crypto::DigestOf(AsBytes("x")).ToString(), std::int64_t{1} << 40}) == ErrorId{});
  }
  const auto over = [&] {
    b.Pump();
    return tree.Show().Over();
  };
  REQUIRE(tree.Until(over));
  const auto ended = tree.Show();
  REQUIRE(ended.status == api::RunStatus::kFinished);
  CHECK(ended.rounds.front().participants == std::vector<std::string>{"clinic-a"});
  CHECK(Refused(ended, ErrorId::kSealBroken) == 1);
}

TEST_CASE("an answer to another task, or brought by another member, is refused") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  tree.StopNode("clinic-b");
  tree.StopNode("clinic-c");
  Puppet b(tree, "clinic-b");
  Puppet c(tree, "clinic-c");
  const auto run = Must(tree.StartRun(RunTree::Spec(1)));
  api::UpdateOffer offer;
  offer.run = run.id;
  offer.round = 1;
  offer.failed = true;
  offer.error = "no";
  CHECK(b.Offer(offer) == ErrorId::kParcelMismatch);  // it has not looked at its task
  REQUIRE(tree.Until([&] {
    b.Pump();
    return b.Has(run.id, 1);
  }));
  const auto of_b = b.Pack(offer);
  CHECK(c.Send(of_b) == ErrorId::kParcelIssuer);
  CHECK(b.Send(of_b) == ErrorId{});
}

TEST_CASE("a task that is done twice gives the same sealed update") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-b");
  auto spec = RunTree::Spec(1);
  spec.sites.clusters = {"clinic-a", "clinic-b"};
  spec.sites.minimum = 2;
  spec.sites.deadline = "1h";
  Must(tree.StartRun(spec));
  REQUIRE(tree.Until([&] { return tree.Happened("update-folded"); }));
  const auto kept = [&] {
    auto store = Must(store::Store::Open(tree.Folder("clinic-a").Database()));
    return Must(store.List<site::OfferRecord>());
  };
  tree.StopNode("clinic-a");
  const auto first = kept();
  REQUIRE(first.size() == 1);
  // The site forgets that it has answered, and is given the task again by a root that comes back.
  {
    auto store = Must(store::Store::Open(tree.Folder("clinic-a").Database()));
    Must(store.Remove<site::OfferRecord>(first.front().Key()));
  }
  std::filesystem::remove_all(tree.Folder("clinic-a").ArtifactFolder());
  tree.StartNode("clinic-a");
  std::vector<site::OfferRecord> second;
  REQUIRE(tree.Until([&] { return !(second = kept()).empty(); }));
  CHECK(second.front().update == first.front().update);
  CHECK(second.front().task == first.front().task);
}

TEST_CASE("the key of a run is a private file while the run can go on, and gone after") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  const auto run = Must(tree.StartRun(RunTree::Spec(200)));
  const auto file = tree.Folder("hq").RunKeyFile(run.id);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(tree.Until([&] { return !tree.Show().rounds.empty(); }));
  Must(tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}));
  tree.Settle();
  CHECK(std::filesystem::exists(file));  // it can be resumed
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(std::filesystem::exists(file));

  auto spec = RunTree::Spec(1);
  spec.name = "short";
  const auto other = Must(tree.StartRun(spec));
  const auto gone = tree.Folder("hq").RunKeyFile(other.id);
  CHECK(std::filesystem::exists(gone));
  REQUIRE(tree.Finish("short").status == api::RunStatus::kFinished);
  CHECK_FALSE(std::filesystem::exists(gone));
}

TEST_CASE("a key that a crash left of a run that is over is wiped with the next start") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  const auto run = Must(tree.StartRun(RunTree::Spec(1)));
  const auto file = tree.Folder("hq").RunKeyFile(run.id);
  const auto copy = tree.scratch() / "copy";
  std::filesystem::copy_file(file, copy);
  REQUIRE(tree.Finish().status == api::RunStatus::kFinished);
  tree.StopNode("hq");
  std::filesystem::copy_file(copy, file);
  tree.StartNode("hq");
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a run whose key was lost or laid open goes on with another") {
  const auto digest = UndisturbedDigest(2);
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  const auto run = Must(tree.StartRun(RunTree::Spec(2)));
  const auto file = tree.Folder("hq").RunKeyFile(run.id);
  REQUIRE(tree.Until([&] { return tree.Happened("update-folded"); }));
  tree.StopNode("hq");
  SECTION("lost") { std::filesystem::remove(file); }
  SECTION("laid open") { std::filesystem::permissions(file, std::filesystem::perms(0644)); }
  SECTION("damaged") { std::filesystem::resize_file(file, 20); }
  tree.StartNode("hq");
  const auto ended = tree.Finish();
  INFO(ended.message);
  CHECK(ended.status == api::RunStatus::kFinished);
  CHECK(ended.model.digest == digest);
}

TEST_CASE("while what came sealed waits to be opened, root and site answer, and nothing is lost with either") {
  const auto digest = UndisturbedDigest(2);
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  const std::string at = GENERATE("hq", "clinic-b");
  INFO(at);
  tree.Node(at).worker().Run<bool>(
      [](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any wait;
        std::unique_lock lock(mutex);
        return wait.wait(lock, stop, [] { return false; });
      },
      [](bool) {});
  Must(tree.StartRun(RunTree::Spec(2)));
  const auto sealed_here = [&] {
    auto artifacts = Must(store::Artifacts::Open(tree.Folder(at).ArtifactFolder()));
    std::int64_t count = 0;
    for (const auto& name : Must(artifacts.List())) {
      const auto bytes = Must(artifacts.ReadRange(name, 0, 8));
      count += AsText(bytes) == "OTESEAL1" ? 1 : 0;
    }
    return count;
  };
  // Of the updates both; of the model one copy.
  REQUIRE(tree.Until([&] { return sealed_here() >= (at == "hq" ? 2 : 1); }));
  tree.Pass(15s);  // heartbeats
  CHECK(tree.Shown("clinic-b").status == api::ClusterStatus::kReady);
  CHECK(Must(tree.Ask<api::AgentStatus>(at, api::verb::kAgentStatus, api::Empty{})).name == at);
  if (at == "hq") {
    CHECK_FALSE(tree.Happened("update-folded"));
  } else {
    CHECK(tree.Until([&] { return tree.Happened("update-folded"); }));  // the other site's
  }
  CHECK(tree.Node(at).Busy());
  SECTION("it is killed") {
    tree.StopNode(at);
    CHECK(std::filesystem::is_empty(tree.Folder(at).ArtifactFolder() / "partial"));
    tree.StartNode(at);
    const auto run = tree.Finish();
    INFO(run.message);
    CHECK(run.status == api::RunStatus::kFinished);
    CHECK(run.model.digest == digest);
  }
  SECTION("its run is cancelled") {
    Must(tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}));
    tree.Settle();
    tree.StopNode(at);
    tree.StartNode(at);
    tree.Settle();
    CHECK(sealed_here() == 0);
  }
}

TEST_CASE("a site that has fetched half of a sealed model goes on when its root was restarted") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  bool half = false;
  tree.on_the_way = [&](const std::string& to, wire::Event& event) {
    if (half || to != "clinic-a" || event.envelope.blob.size() == 0) return;
    half = true;
    tree.Hold("hq", [] { return false; });
  };
  Must(tree.StartRun(Large()));
  REQUIRE(tree.Until([&] { return half; }, 1ms));
  const auto partial = tree.Folder("clinic-a").ArtifactFolder() / "partial";
  REQUIRE_FALSE(std::filesystem::is_empty(partial));
  tree.StopNode("hq");
  tree.Hold("hq", [] { return true; });
  tree.Pass(2s);
  tree.StartNode("hq");
  const auto run = tree.Finish();
  INFO(run.message);
  CHECK(run.status == api::RunStatus::kFinished);
  tree.Settle();
  CHECK(std::filesystem::is_empty(partial));
}
