// A root that takes the masks out of a sum goes on answering: the work has a thread of its own.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "agent/run_controller.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

namespace {

api::RunSpec MaskedSpec() {
  auto spec = RunTree::Spec(1);
  spec.masks.kind = api::MaskKind::kPairwise;
  return spec;
}

std::string UndisturbedDigest() {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b", "clinic-c"});
  Must(tree.StartRun(MaskedSpec()));
  const auto run = tree.Finish();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  return run.model.digest;
}

// A tree whose root has come so far that it unmasks a sum, and has a worker that is slow.
class SlowTree : public RunTree {
 public:
  SlowTree() {
    JoinSites({"clinic-a", "clinic-b", "clinic-c"});
    Node("hq").runs().GetWorker().Run<int>(
        [this](const std::stop_token& stop) {
          while (!go && !stop.stop_requested()) std::this_thread::sleep_for(1ms);
          return 0;
        },
        [](int) {});
    Must(StartRun(MaskedSpec()));
    REQUIRE(Until([&] { return Show().message == "round 1 of 1: unmasking the sum of 3 clusters"; }));
  }
  ~SlowTree() { go = true; }
  SlowTree(const SlowTree&) = delete;
  SlowTree& operator=(const SlowTree&) = delete;

  std::atomic<bool> go = false;
};

}  // namespace

TEST_CASE("while a root unmasks a sum it answers heartbeats and verbs, and other runs go on") {
  SlowTree tree;
  tree.Pass(120s);  // many heartbeats
  const auto clusters = Must(tree.Ask<api::ClusterList>("hq", api::verb::kClusterList, api::Empty{}));
  REQUIRE(clusters.items.size() == 4);
  for (const auto& cluster : clusters.items) CHECK(cluster.status == api::ClusterStatus::kReady);
  auto plain = RunTree::Spec(1);
  plain.name = "plain";
  Must(tree.StartRun(plain));
  CHECK(tree.Finish("plain").status == api::RunStatus::kFinished);
  const auto shown = tree.Show();
  CHECK(shown.status == api::RunStatus::kRunning);
  CHECK(shown.message == "round 1 of 1: unmasking the sum of 3 clusters");
  tree.go = true;
  const auto run = tree.Finish();
  INFO(run.message);
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == UndisturbedDigest());
}

TEST_CASE("a run that is cancelled while its sum is unmasked ends at once, and lets the work go") {
  SlowTree tree;
  const auto cancelled = Must(tree.Ask<api::Run>("hq", api::verb::kFlCancel, api::NameRequest{"trial"}));
  CHECK(cancelled.status == api::RunStatus::kCancelled);
  CHECK(tree.Node("hq").runs().ActiveCount() == 0);
  tree.go = true;
  REQUIRE(tree.Until([&] { return !tree.Busy(); }));
  CHECK(tree.Show().status == api::RunStatus::kCancelled);
}

TEST_CASE("a root that is killed while it unmasks a sum does it again, and makes the same model") {
  SlowTree tree;
  tree.StopNode("hq");
  tree.StartNode("hq");
  const auto run = tree.Finish();
  INFO(run.message);
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == UndisturbedDigest());
}
