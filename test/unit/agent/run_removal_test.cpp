// Runs that are removed, and what stays.
#include <catch2/catch.hpp>

#include "agent/by_hand/ledger.h"
#include "agent/run_records.h"
#include "core/api/record.h"
#include "core/api/run_remove.h"
#include "core/bundle/marks.h"
#include "test/fake/hand_tree.h"

namespace ote::test {
namespace {

ErrorId IdOf(const auto& result) { return result ? ErrorId{} : result.error().id; }

Result<api::RunRemoved> Remove(RunTree& tree, const std::string& name, bool updates = false, bool dry_run = false) {
  return tree.Ask<api::RunRemoved>("hq", api::verb::kFlRemove, api::RunRemoveRequest{name, updates, dry_run});
}
api::RunSpec Keeping(const std::string& name) {
  auto spec = RunTree::Spec(2);
  spec.name = name;
  spec.record.updates = api::KeepUpdates::kKeep;
  return spec;
}
// What the agent at `name`, which stands still, has on disk.
struct Disk {
  store::Store store;
  store::Artifacts artifacts;
  explicit Disk(const store::StateFolder& folder)
      : store(Must(store::Store::Open(folder.Database()))),
        artifacts(Must(store::Artifacts::Open(folder.ArtifactFolder()))) {}
  std::size_t Rows(std::string_view kind) { return Must(store.ListDocs(kind)).size(); }
};

}  // namespace

TEST_CASE("a run that has ended is removed with all that nothing else needs, and its model stays") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(tree.StartRun(Keeping("first")));
  CHECK(IdOf(Remove(tree, "first")) == ErrorId::kConflict);
  const auto run = tree.Finish("first");
  REQUIRE(run.status == api::RunStatus::kFinished);
  std::size_t artifacts = 0;
  {
    Disk disk(tree.Folder("hq"));
    artifacts = Must(disk.artifacts.List()).size();
    CHECK(disk.Rows("record-artifact") > 2);
    CHECK(disk.Rows("record-entry") == 4);
  }
  const auto would = Must(Remove(tree, "first", false, true));
  CHECK(would.bytes > 0);
  CHECK(tree.Show("first").id == run.id);
  const auto removed = Must(Remove(tree, "first"));
  CHECK(removed.id == run.id);
  CHECK(removed.bytes == would.bytes);
  CHECK(removed.artifacts == would.artifacts);
  Disk disk(tree.Folder("hq"));
  const auto left = Must(disk.artifacts.List());
  CHECK(left.size() + static_cast<std::size_t>(removed.artifacts) == artifacts);
  CHECK(disk.artifacts.Has(run.model.digest));
  for (const auto* kind : {"record-artifact", "record-entry", "record", "run", "run-state"}) {
    CAPTURE(kind);
    CHECK(disk.Rows(kind) == 0);
  }
  CHECK(Must(disk.store.ReadJournal(run.id, 0, 10)).empty());
  // Again, and what names it from outside.
  CHECK(IdOf(Remove(tree, "first")) == ErrorId::kRunUnknown);
  CHECK(Must(tree.Ask<api::RunList>("hq", api::verb::kFlList, api::Empty{})).items.empty());
  CHECK(Must(tree.Ask<api::ModelEntry>("hq", api::verb::kModelShow, api::NameRequest{"first"})).digest ==
        run.model.digest);
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(IdOf(tree.Ask<api::Run>("hq", api::verb::kFlShow, api::NameRequest{"first"})) == ErrorId::kRunUnknown);
  // The name is free again.
  Must(tree.StartRun(Keeping("first")));
}

TEST_CASE("the updates of a run go alone, but for what another run keeps too") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(tree.StartRun(Keeping("first")));
  tree.Finish("first");
  // The same seed, data and settings: the same updates and models.
  Must(tree.StartRun(Keeping("second")));
  tree.Finish("second");
  const auto nothing = Must(Remove(tree, "first", true));
  CHECK(nothing.artifacts == 0);
  CHECK(tree.Show("first").status == api::RunStatus::kFinished);
  const auto rest = Must(Remove(tree, "second", true));
  CHECK(rest.artifacts > 2);
  CHECK(rest.bytes > 0);
  CHECK(Must(Remove(tree, "second", true)).already);
  Disk disk(tree.Folder("hq"));
  CHECK(disk.Rows("record-artifact") == 0);
  CHECK(disk.Rows("record-entry") == 8);
  CHECK(disk.artifacts.Has(tree.Show("second").model.digest));
  // The record is there as it was, and says that what it was made from was removed.
  auto client = tree.Operator("hq");
  const auto piece = Must(FromWire<api::RecordPiece>(
      Must(client.Call(api::verb::kFlRecord, ToJson(api::RecordRequest{"second", 0, 0}), std::chrono::seconds(5)))
          .body));
  CHECK(piece.dropped > 0);
}

TEST_CASE("what was carried for a run goes with it, and a restored site is noticed all the same") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Must(tree.StartRun(RunTree::Spec(1)));
  for (std::int64_t round = 1; round <= 2; ++round) {
    REQUIRE(tree.Until([&] { return tree.RoundOpen(round, "clinic-a"); }));
    const auto name = std::to_string(round);
    Must(tree.Train("clinic-a", tree.Export("clinic-a", name + ".task"), name + ".update"));
    Must(tree.Import(tree.Usb(name + ".update")));
  }
  REQUIRE(tree.Finish().status == api::RunStatus::kFinished);
  const auto would = Must(Remove(tree, "trial", false, true));
  std::int64_t highest = 0;
  {
    Disk disk(tree.Folder("hq"));
    CHECK(disk.Rows(agent::HandTask::kKind) == 2);
    CHECK(disk.Rows(agent::HandUpdate::kKind) == 2);
    highest = Must(bundle::HighestOf(disk.store, "clinic-a"));
  }
  CHECK(Must(Remove(tree, "trial")).rows == would.rows);
  Disk disk(tree.Folder("hq"));
  CHECK(disk.Rows(agent::HandTask::kKind) == 0);
  CHECK(disk.Rows(agent::HandUpdate::kKind) == 0);
  CHECK(Must(bundle::HighestOf(disk.store, "clinic-a")) == highest);
  CHECK(IdOf(tree.Import(tree.Usb("2.update"))) == ErrorId::kRunUnknown);

  // The next task tells the site that the run is over, until it has answered.
  const auto kept = [&] { return Must(tree.OpenSite("clinic-a").GetStore().List<site::HandAnswer>()); };
  const auto before = kept();
  REQUIRE_FALSE(before.empty());
  Must(tree.StartRun(RunTree::Spec(1)));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(1, "clinic-a"); }));
  CHECK(Must(tree.AskTask("clinic-a")).over == std::vector<std::string>{before.front().header.run});
  Must(tree.Train("clinic-a", tree.Export("clinic-a", "3.task"), "3.update"));
  for (const auto& answer : kept()) CHECK(answer.header.run != before.front().header.run);
  Must(tree.Import(tree.Usb("3.update")));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(2, "clinic-a"); }));
  CHECK(Must(tree.AskTask("clinic-a")).over.empty());
}

}  // namespace ote::test
