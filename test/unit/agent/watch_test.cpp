#include "agent/watch/watch.h"

#include <catch2/catch.hpp>

#include "core/api/app.h"
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

TEST_CASE(
    "apps are counted by phase wherever they are, and reports are as old as the oldest of a cluster that is ready") {
  class Board final : public StateBoard {
   public:
    void Set(std::string_view, const std::string&, Json) override {}
    void Remove(std::string_view, const std::string&) override {}
    std::map<std::string, Json> List(const std::string& cluster, std::string_view kind) const override {
      api::AppStatus web;
      web.app = "web";
      web.phase = cluster == "clinic-a" ? api::AppPhase::kHealthy : api::AppPhase::kFailed;
      if (kind != state::kApp || cluster == "hq") return {};
      return {{"web", ToJson(web)}, {"odd", Json("not a status")}};
    }
    UnixMillis FreshAt(const std::string& cluster) const override {
      return cluster == "clinic-a" ? 90'000 : cluster == "clinic-b" ? 70'000 : 10'000;
    }
    void OnChange(Changed) override {}
  } board;
  std::vector<api::Cluster> clusters(4);
  const char* names[] = {"hq", "clinic-a", "clinic-b", "clinic-c"};
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    clusters[i].name = names[i];
    clusters[i].status = i < 3 ? api::ClusterStatus::kReady : api::ClusterStatus::kUnreachable;
  }
  Families told;
  AddBoard(board, clusters, "hq", 100'000, told);
  REQUIRE(told.size() == 2);
  std::map<std::string, double> apps;
  for (const auto& [labels, value] : told[0].values) apps[labels.at(0).second] = value;
  CHECK(apps.size() == 6);
  CHECK(apps["healthy"] == 1);
  CHECK(apps["failed"] == 2);
  CHECK(apps["pending"] == 0);
  CHECK(told[1].values.at(0).second == 30);
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
