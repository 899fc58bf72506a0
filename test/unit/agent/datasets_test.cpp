#include <catch2/catch.hpp>

#include "core/site/data_cache.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

TEST_CASE("a data set is registered at its site, and the root learns name, schema and counts") {
  RunTree tree;
  tree.Join("clinic-a");
  const auto added = Must(tree.AddData("clinic-a", "points", tree.WriteData("clinic-a", RunTree::Csv(1, 100))));
  CHECK(added.train_rows + added.test_rows == 100);
  CHECK(added.classes == 2);
  CHECK(added.columns.size() == 2);
  CHECK(added.digest.starts_with("blake2b:"));
  const auto shown = tree.Shown("clinic-a");
  REQUIRE(shown.datasets.size() == 1);
  CHECK(shown.datasets.front().name == "points");
  CHECK(shown.datasets.front().train_rows == added.train_rows);
  CHECK(shown.datasets.front().features == 2);
  CHECK(ToJson(shown).dump().find("clinic-a.csv") == std::string::npos);
}

TEST_CASE(
    "a data set that is registered while the root is slow to welcome its site is known there when the site says done") {
  RunTree tree;
  Must(tree.Enrol(tree.Token(), "clinic-a"));
  tree.StartNode("clinic-a");
  auto site = Must(store::Store::Open(tree.Folder("clinic-a").Database()));
  int after = 0;
  tree.Hold("hq", [&] { return !Must(site.List<site::RegisteredFile>()).empty() && ++after > 20; });
  tree.Settle(4);  // the hello is on its way, without the data set
  Must(tree.AddData("clinic-a", "points", tree.WriteData("clinic-a", RunTree::Csv(1, 100))));
  CHECK(tree.Shown("clinic-a").datasets.size() == 1);
}

TEST_CASE("a data set outlives a restart of its site") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  tree.StopNode("clinic-a");
  tree.StartNode("clinic-a");
  tree.Settle();
  const auto list = Must(tree.Ask<api::DataList>("clinic-a", api::verb::kDataList, api::Empty{}));
  REQUIRE(list.items.size() == 1);
  CHECK(list.items.front().name == "points");
  CHECK(tree.Shown("clinic-a").datasets.size() == 1);
}

TEST_CASE("adding the same data set twice is the same; another in its place is a conflict unless it replaces") {
  RunTree tree;
  tree.Join("clinic-a");
  const auto path = tree.WriteData("clinic-a", RunTree::Csv(1, 100));
  const auto first = Must(tree.AddData("clinic-a", "points", path));
  tree.clock.Advance(10s);
  CHECK(Must(tree.AddData("clinic-a", "points", path)).registered_at == first.registered_at);

  tree.WriteData("clinic-a", RunTree::Csv(2, 120));
  CHECK(tree.AddData("clinic-a", "points", path).error().id == ErrorId::kConflict);
  const auto replaced = Must(tree.AddData("clinic-a", "points", path, true));
  CHECK(replaced.train_rows + replaced.test_rows == 120);
  CHECK(replaced.digest != first.digest);

  const auto other = tree.WriteData("elsewhere", RunTree::Csv(2, 120));
  CHECK(tree.AddData("clinic-a", "points", other).error().id == ErrorId::kConflict);
}

TEST_CASE("whether relays may read updates of a data set is a setting of it, which the root is told") {
  RunTree tree;
  tree.Join("clinic-a");
  const auto path = tree.WriteData("clinic-a", RunTree::Csv(1, 100));
  CHECK(Must(tree.AddData("clinic-a", "points", path)).fold == api::FoldPolicy::kAllow);
  api::DataAddRequest closed;
  closed.dataset.name = "points";
  closed.dataset.path = path;
  closed.dataset.label = "label";
  closed.dataset.fold = api::FoldPolicy::kRefuse;
  CHECK(tree.Ask<api::Dataset>("clinic-a", api::verb::kDataAdd, closed).error().id == ErrorId::kConflict);
  closed.replace = true;
  CHECK(Must(tree.Ask<api::Dataset>("clinic-a", api::verb::kDataAdd, closed)).fold == api::FoldPolicy::kRefuse);
  tree.Settle();
  CHECK(tree.Shown("clinic-a").datasets.front().fold == api::FoldPolicy::kRefuse);
}

TEST_CASE("nothing of a data set with a bad row is registered") {
  RunTree tree;
  tree.Join("clinic-a");
  const auto path = tree.WriteData("clinic-a", "a,b,label\n1,2,yes\n1,oops,no\n");
  const auto added = tree.AddData("clinic-a", "points", path);
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().id == ErrorId::kDataBadRow);
  CHECK(added.error().message.find("clinic-a.csv:3") != std::string::npos);
  CHECK(Must(tree.Ask<api::DataList>("clinic-a", api::verb::kDataList, api::Empty{})).items.empty());
  CHECK(tree.Shown("clinic-a").datasets.empty());
}

TEST_CASE("a file that is not there, a relative path and a bad name are refused") {
  RunTree tree;
  tree.Join("clinic-a");
  CHECK(tree.AddData("clinic-a", "points", tree.scratch() / "missing.csv").error().id == ErrorId::kDataUnreadable);
  CHECK(tree.AddData("clinic-a", "points", "points.csv").error().id == ErrorId::kMalformed);
  const auto path = tree.WriteData("clinic-a", RunTree::Csv(1, 20));
  CHECK_FALSE(tree.AddData("clinic-a", "Points!", path).has_value());
}

TEST_CASE("a removed data set is gone at its site and at the root") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  const auto remove = [&] {
    return tree.Ask<api::Dataset>("clinic-a", api::verb::kDataRemove, api::NameRequest{"points"});
  };
  CHECK(Must(remove()).name == "points");
  tree.Settle();
  CHECK(remove().error().id == ErrorId::kDatasetUnknown);
  CHECK(tree.Shown("clinic-a").datasets.empty());
}

TEST_CASE("a file that was only touched still trains; one that changed fails the site with a hint") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  // The same bytes in a new file.
  const auto path = tree.WriteData("clinic-a", RunTree::Csv(1, 80));
  auto spec = RunTree::Spec(1);
  Must(tree.StartRun(spec));
  CHECK(tree.Finish().status == api::RunStatus::kFinished);

  tree.WriteData("clinic-a", RunTree::Csv(9, 80));
  spec.name = "second";
  Must(tree.StartRun(spec));
  const auto run = tree.Finish("second");
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.front().participants == std::vector<std::string>{"clinic-b"});
  std::string why;
  std::string hint;
  for (const auto& event : tree.Events("second")) {
    if (event.kind != "site-failed") continue;
    why = event.cluster + ": " + event.message;
    hint = event.hint;
    CHECK(event.phase == "prepare");
    CHECK(event.code == "OTE-E0205");
  }
  CHECK(why.starts_with("clinic-a: "));
  CHECK(why.find("changed since it was registered") != std::string::npos);
  CHECK(hint.find("--replace") != std::string::npos);
  REQUIRE(run.rounds.front().failed.size() == 1);
  CHECK(run.rounds.front().failed[0].name == "clinic-a");
  CHECK(run.rounds.front().failed[0].hint == hint);
}
