#include <catch2/catch.hpp>

#include "core/site/trainers/own_training.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

namespace {

// Leaves the model as it was given.
constexpr const char* kIdle =
    "sh -c 'cp {model} {output}/update.safetensors; echo \"{\\\"loss\\\": 0.5}\" > {output}/metrics.json'";

Result<api::Trainer> Add(RunTree& tree, const std::string& site, const std::string& name, const std::string& command,
                         std::vector<std::string> datasets = {}, bool replace = false) {
  api::TrainerAddRequest request;
  request.trainer.name = name;
  request.trainer.command = command;
  request.trainer.datasets = std::move(datasets);
  request.trainer.sandbox = api::Sandbox::kOff;
  request.replace = replace;
  return tree.Ask<api::Trainer>(site, api::verb::kTrainerAdd, request);
}

std::vector<api::RunEvent> Failures(RunTree& tree) {
  auto events = tree.Events();
  std::erase_if(events, [](const auto& event) { return event.kind != "site-failed"; });
  return events;
}

}  // namespace

TEST_CASE("a run trains by the sites' own trainers when it asks for them") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  for (const auto* site : {"clinic-a", "clinic-b"}) Must(Add(tree, site, "idle", kIdle));
  auto spec = RunTree::Spec(2);
  spec.trainer = api::TrainerKind::kExec;
  Must(tree.StartRun(spec));
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  REQUIRE(run.rounds.size() == 2);
  // Nobody moved it.
  CHECK(run.rounds[0].model_digest == run.rounds[1].model_digest);
  CHECK(run.rounds[0].sites.at(0).train_loss == 0.5);
  const auto tail =
      Must(tree.Ask<api::OutputTail>("hq", api::verb::kFlOutput, api::OutputRequest{"trial", "clinic-a", 4096}));
  CHECK(tail.cluster == "clinic-a");
  CHECK(tail.text.find("round 2  trainer idle, without a sandbox") != std::string::npos);
  const auto at_site =
      Must(tree.Ask<api::OutputTail>("clinic-a", api::verb::kFlOutput, api::OutputRequest{run.id, {}, 4096}));
  CHECK(at_site.text == tail.text);
  CHECK(std::filesystem::is_empty(site::TrainerWorkFolder(tree.Folder("clinic-a").path)));
}

TEST_CASE("a run that does not ask for it never runs a site's command") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  const auto mark = tree.scratch() / "ran";
  Must(Add(tree, "clinic-a", "mark", "touch " + mark.string()));
  Must(tree.StartRun(RunTree::Spec(1)));
  CHECK(tree.Finish().status == api::RunStatus::kFinished);
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("the trainer of the data set goes before the one for all") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(Add(tree, "clinic-a", "for-all", "sh -c 'exit 7'"));
  Must(Add(tree, "clinic-a", "for-points", kIdle, {"points"}));
  auto spec = RunTree::Spec(1);
  spec.trainer = api::TrainerKind::kExec;
  Must(tree.StartRun(spec));
  CHECK(tree.Finish().status == api::RunStatus::kFinished);
}

TEST_CASE("a failed trainer is told with phase, code and hint") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  Must(Add(tree, "clinic-a", "bad", "sh -c 'echo disk on fire; exit 3'"));
  auto spec = RunTree::Spec(1);
  spec.trainer = api::TrainerKind::kAny;
  Must(tree.StartRun(spec));
  const auto run = tree.Finish();
  CHECK(run.status == api::RunStatus::kFinished);
  const auto failures = Failures(tree);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].cluster == "clinic-a");
  CHECK(failures[0].phase == "train");
  CHECK(failures[0].code == "OTE-E0323");
  CHECK(failures[0].message == "trainer bad: it ended with status 3: disk on fire");
  CHECK(failures[0].hint == "ote fl logs " + run.id + " --cluster clinic-a");
}

TEST_CASE("two trainers for the same data are refused, and so is a program that is not there") {
  RunTree tree;
  tree.Join("clinic-a");
  Must(Add(tree, "clinic-a", "one", "sh -c true"));
  CHECK(Must(Add(tree, "clinic-a", "one", "sh -c true")).runs_in.starts_with("no sandbox"));
  CHECK(Add(tree, "clinic-a", "one", "sh -c false").error().id == ErrorId::kConflict);
  CHECK(Add(tree, "clinic-a", "two", "sh -c true").error().id == ErrorId::kConflict);
  Must(Add(tree, "clinic-a", "two", "sh -c true", {"points", "scans"}));
  CHECK(Add(tree, "clinic-a", "three", "sh -c true", {"scans"}).error().id == ErrorId::kConflict);
  CHECK(Add(tree, "clinic-a", "four", "no-such-program", {"x"}).error().id == ErrorId::kTrainerInvalid);
  // One becomes the other's kind: now there would be two for all.
  CHECK(Add(tree, "clinic-a", "two", "sh -c true", {}, true).error().id == ErrorId::kConflict);
  tree.StopNode("clinic-a");
  tree.StartNode("clinic-a");
  const auto list = Must(tree.Ask<api::TrainerList>("clinic-a", api::verb::kTrainerList, api::Empty{}));
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[1].datasets == std::vector<std::string>{"points", "scans"});
  Must(tree.Ask<api::Trainer>("clinic-a", api::verb::kTrainerRemove, api::NameRequest{"one"}));
  CHECK(tree.Ask<api::Trainer>("clinic-a", api::verb::kTrainerRemove, api::NameRequest{"one"}).error().id ==
        ErrorId::kNotFound);
}

TEST_CASE("what a trainer printed is asked for by run and by a cluster that is a member") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(tree.StartRun(RunTree::Spec(1)));
  tree.Finish();
  const auto ask = [&](const std::string& run, const std::string& cluster) {
    return tree.Ask<api::OutputTail>("hq", api::verb::kFlOutput, api::OutputRequest{run, cluster, 100});
  };
  CHECK(ask("trial", "clinic-a").error().id == ErrorId::kTrainerLogMissing);
  CHECK(ask("trial", "clinic-z").error().id == ErrorId::kNotFound);
  CHECK(ask("other", "clinic-a").error().id == ErrorId::kRunUnknown);
  CHECK(ask("../../x", "").error().id == ErrorId::kMalformed);
}

TEST_CASE("what a trainer printed with rows that have a privacy budget is shown at the site alone") {
  RunTree tree;
  tree.JoinSites({"clinic-a"});
  Must(Add(tree, "clinic-a", "idle", kIdle));
  auto spec = RunTree::Spec(1);
  spec.trainer = api::TrainerKind::kExec;
  const auto run = Must(tree.StartRun(spec));
  REQUIRE(tree.Finish().status == api::RunStatus::kFinished);
  const auto ask = [&](const std::string& at, const std::string& cluster) {
    return tree.Ask<api::OutputTail>(at, api::verb::kFlOutput, api::OutputRequest{run.id, cluster, 4096});
  };
  CHECK(ask("hq", "clinic-a"));
  // Also when the rows go by another name since.
  api::DataAddRequest budget;
  budget.dataset.name = GENERATE("points", "others");
  budget.dataset.path = tree.scratch() / "clinic-a.csv";
  budget.dataset.label = "label";
  budget.replace = true;
  budget.privacy.emplace().epsilon = 3;
  Must(tree.Ask<api::Dataset>("clinic-a", api::verb::kDataAdd, budget));
  const auto refused = ask("hq", "clinic-a");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kBudgetNeedsNoise);
  CHECK(refused.error().message.find("clinic-a") != std::string::npos);
  CHECK(Must(ask("clinic-a", "")).text.find("trainer idle") != std::string::npos);
}

TEST_CASE("a trainer is not asked for what only the built-in training can give") {
  api::Task task;
  CHECK(site::CheckFit(task));
  task.local.proximal = 0.1;
  task.local.normalize = true;
  CHECK(site::CheckFit(task));
  auto control = task;
  control.local.control = true;
  CHECK(site::CheckFit(control).error().id == ErrorId::kTrainerUnfit);
  auto personal = task;
  personal.local.personal.kind = api::PersonalKind::kDitto;
  CHECK(site::CheckFit(personal).error().id == ErrorId::kTrainerUnfit);
}
