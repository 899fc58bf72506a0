// What goes wrong around a run: members that send rubbish, disks that fail.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "crypto/sealed.h"
#include "test/fake/puppet.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Puppet;
using test::RunTree;

namespace {

std::int64_t Refused(const api::Run& run, ErrorId id) {
  for (const auto& refusal : run.refused) {
    if (refusal.reason == Error{id, {}, {}}.Code()) return refusal.count;
  }
  return 0;
}

}  // namespace

TEST_CASE("rubbish from a member is refused, counted, shown, and harms nothing") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  tree.StopNode("clinic-b");
  tree.StopNode("clinic-c");
  auto spec = RunTree::Spec(1);
  spec.sites.clusters = {"clinic-a", "clinic-b"};
  Puppet b(tree, "clinic-b");
  Puppet c(tree, "clinic-c");
  // It has not been missed yet when the run asks it, and answers only in the end.
  tree.StopNode("clinic-a");
  const auto run = Must(tree.StartRun(spec));

  api::UpdateOffer offer;
  offer.run = "run-0000000000";
  offer.round = 1;
  CHECK(b.Offer(offer) == ErrorId::kRunUnknown);
  offer.run = run.id;
  CHECK(c.Offer(offer) == ErrorId::kUpdateUnasked);
  offer.round = 7;
  CHECK(b.Offer(offer) == ErrorId::kRoundStale);
  offer.round = 1;
  offer.digest = run.model.digest;
  offer.examples = 10;
  offer.size = 12;
  CHECK(b.Offer(offer) == ErrorId::kUpdateShape);
  offer.size = run.model.parameters * 4;
  CHECK(b.Offer(offer) == ErrorId::kUpdateDuplicate);

  tree.StartNode("clinic-a");
  const auto ended = tree.Finish();
  REQUIRE(ended.status == api::RunStatus::kFinished);
  CHECK(ended.rounds.front().participants == std::vector<std::string>{"clinic-a"});
  CHECK(Refused(ended, ErrorId::kUpdateUnasked) == 1);
  CHECK(Refused(ended, ErrorId::kRoundStale) == 1);
  CHECK(Refused(ended, ErrorId::kUpdateShape) == 1);
  CHECK(Refused(ended, ErrorId::kUpdateDuplicate) == 1);
  CHECK(b.Offer(offer) == ErrorId::kRoundStale);
}

TEST_CASE("an answer that its site has not signed is refused, counted and shown, and harms nothing") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-a");
  tree.StopNode("clinic-b");
  Puppet b(tree, "clinic-b");
  const auto run = Must(tree.StartRun(RunTree::Spec(1)));
  REQUIRE(tree.Until([&] {
    b.Pump();
    return b.Has(run.id, 1);
  }));
  api::UpdateOffer offer;
  offer.run = run.id;
  offer.round = 1;
  offer.digest = run.model.digest;
  offer.size = run.model.parameters * 4;
  offer.examples = 10;
  CHECK(b.Offer(offer, {}, false) == ErrorId::kStatementInvalid);
  tree.StartNode("clinic-a");
  const auto ended = tree.Finish();
  REQUIRE(ended.status == api::RunStatus::kFinished);
  CHECK(ended.rounds.front().participants == std::vector<std::string>{"clinic-a"});
  CHECK(Refused(ended, ErrorId::kStatementInvalid) == 1);
}

TEST_CASE("an offer whose update cannot be fetched is told, and the round closes without it") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.StopNode("clinic-b");
  Puppet b(tree, "clinic-b");
  const auto run = Must(tree.StartRun(RunTree::Spec(1)));
  REQUIRE(tree.Until([&] {
    b.Pump();
    return b.Has(run.id, 1);
  }));
  api::UpdateOffer offer;
  offer.run = run.id;
  offer.round = 1;
  offer.digest = run.model.digest.substr(0, run.model.digest.size() - 1) + (run.model.digest.back() == '0' ? "1" : "0");
  offer.size = run.model.parameters * 4;
  offer.examples = 10;
  const auto sealed = static_cast<std::int64_t>(crypto::SealedSize(static_cast<std::uint64_t>(offer.size)));
  CHECK(b.Offer(offer, {offer.digest.substr(0, 70) + "01", sealed}) == ErrorId{});
  REQUIRE(tree.Until([&] { return tree.Happened("fetch-failed") || tree.Show().Over(); }, 10s));
  const auto ended = tree.Finish();
  INFO(ended.message);
  REQUIRE(ended.status == api::RunStatus::kFinished);
  CHECK(ended.rounds.front().participants == std::vector<std::string>{"clinic-a"});
}

TEST_CASE("a disk that fails pauses a run, and when it is well again the run ends in the same model") {
  auto spec = RunTree::Spec(4);
  spec.sites.minimum = 2;
  spec.sites.deadline = "1h";
  std::string digest;
  {
    RunTree tree;
    tree.JoinSites({"clinic-a", "clinic-b"});
    Must(tree.StartRun(spec));
    digest = tree.Finish().model.digest;
  }
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(spec));
  REQUIRE(tree.Until([&] { return tree.Show().rounds.size() == 1; }));
  // Updates cannot be written any more; what is there can be read.
  const auto folder = tree.Folder("hq").ArtifactFolder() / "partial";
  std::filesystem::remove_all(folder);
  std::ofstream(folder) << "no folder";
  const auto told = [&] { return tree.Show().message.find("cannot be written") != std::string::npos; };
  REQUIRE(tree.Until(told));
  CHECK(tree.Show().status == api::RunStatus::kPaused);
  REQUIRE(tree.Until([&] { return tree.Happened("run-restored"); }, 1s));
  REQUIRE(tree.Until(told, 1s));
  std::filesystem::remove(folder);
  std::filesystem::create_directory(folder);
  const auto run = tree.Finish();
  INFO(run.message);
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == digest);
}

TEST_CASE("a removed member is out of its run") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(RunTree::Spec(40)));
  REQUIRE(tree.Until([&] { return !tree.Show().rounds.empty(); }));
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-b"}));
  const auto run = tree.Finish();
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.back().participants == std::vector<std::string>{"clinic-a"});
}
