#include "agent/watch/watch.h"

#include <catch2/catch.hpp>

#include "core/store/watch_file.h"
#include "test/fake/tree.h"

namespace ote::agent {
namespace {

const api::Finding* Find(const api::Findings& findings, const std::string& check) {
  for (const auto& finding : findings.items) {
    if (finding.check == check) return &finding;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("an agent that is asked for its health tells what it knows") {
  test::Tree tree;
  const auto found = test::Must(tree.Ask<api::Findings>("hq", api::verb::kDoctorCheck, api::Empty{}));
  REQUIRE(Find(found, "queues") != nullptr);
  CHECK(Find(found, "queues")->level == api::FindingLevel::kOk);
  CHECK(Find(found, "parent") == nullptr);
  CHECK(found.metrics.empty());
  CHECK_FALSE(found.ship);
}

TEST_CASE("a member tells of its parent, and how far the clocks are apart") {
  test::Tree tree;
  tree.Join("clinic-a");
  auto found = test::Must(tree.Ask<api::Findings>("clinic-a", api::verb::kDoctorCheck, api::Empty{}));
  REQUIRE(Find(found, "parent") != nullptr);
  CHECK(Find(found, "parent")->level == api::FindingLevel::kOk);
  REQUIRE(Find(found, "clock") != nullptr);
  CHECK(Find(found, "clock")->level == api::FindingLevel::kOk);
  tree.clock.SetWall(tree.clock.WallNow() + 3'600'000);
  found = test::Must(tree.Ask<api::Findings>("clinic-a", api::verb::kDoctorCheck, api::Empty{}));
  CHECK(Find(found, "clock")->level == api::FindingLevel::kWarning);
  CHECK(Find(found, "clock")->what.find("jumped by 1h") != std::string::npos);
}

TEST_CASE("an agent with metrics at an address that cannot be does not start") {
  test::Tree tree;
  tree.StopNode("hq");
  api::WatchSettings watch;
  watch.metrics = "192.0.2.1:9440";
  test::Must(store::SaveWatch(tree.Folder("hq"), watch));
  CHECK_THROWS_WITH(tree.StartNode("hq"), Catch::Contains("OTE-E1201"));
}

TEST_CASE("how an agent is watched is kept beside its membership") {
  test::Tree tree;
  const auto folder = tree.Folder("hq");
  CHECK(store::LoadWatch(folder).value() == api::WatchSettings{});
  api::WatchSettings watch;
  watch.metrics = "127.0.0.1:0";
  watch.ship.url = "https://logs.example";
  REQUIRE(store::SaveWatch(folder, watch));
  CHECK(store::LoadWatch(folder).value() == watch);
}

}  // namespace ote::agent
