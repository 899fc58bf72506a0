#include <algorithm>

#include "test/unit/agent/process_bench.h"

using namespace ote;
using namespace ote::agent;
using api::AppPhase;
using Bench = ProcessBench;

TEST_CASE("a rolling update never has fewer healthy replicas than it had, and a bad revision replaces none of them") {
  Bench bench;
  bench.Start();
  auto workload = Shell("exec sleep 1000");
  workload.replicas = 2;
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto running = [&] {
    const auto& replicas = bench.apps["web"].replicas;
    return std::count_if(replicas.begin(), replicas.end(),
                         [](const auto& r) { return r.phase == AppPhase::kHealthy && r.message != "stopping"; });
  };
  workload.command.back() = "echo second; exec sleep 1000";
  REQUIRE(bench.Apply(Assigned("web", 2, workload)));
  std::ptrdiff_t fewest = 2;
  REQUIRE(bench.Until([&] {
    fewest = std::min(fewest, running());
    return bench.Phase("web", AppPhase::kHealthy, 2);
  }));
  CHECK(fewest == 2);
  CHECK(bench.apps["web"].replicas.size() == 2);
  workload.command.back() = "exit 1";
  workload.health.start_ms = 60'000;
  REQUIRE(bench.Apply(Assigned("web", 3, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kFailed, 3));
  CHECK(running() == 2);
  CHECK(bench.apps["web"].message.find("2 of the revision before still run") != std::string::npos);
  workload.command.back() = "echo fourth; exec sleep 1000";
  workload.health.start_ms = 50;
  REQUIRE(bench.Apply(Assigned("web", 4, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy, 4));
  CHECK(bench.apps["web"].replicas.size() == 2);
  // A restart is one after the other, too.
  fewest = 2;
  REQUIRE(bench.Restart("web"));
  REQUIRE(bench.Until([&] {
    fewest = std::min(fewest, running());
    const auto& replicas = bench.apps["web"].replicas;
    return running() == 2 && replicas[0].restarts == 1 && replicas[1].restarts == 1;
  }));
  CHECK(fewest == 1);
  // More of the same are added to those that run.
  const auto before = bench.States("web");
  workload.replicas = 3;
  REQUIRE(bench.Apply(Assigned("web", 5, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy, 5));
  const auto after = bench.States("web");
  CHECK(after.size() == 3);
  for (const auto& item : before) {
    const auto pid = item.second.pid;
    CHECK(std::any_of(after.begin(), after.end(), [pid](const auto& other) { return other.second.pid == pid; }));
  }
}

TEST_CASE("where there is a port, the old revision makes room and comes back when the new one is no good") {
  Bench bench;
  bench.Start();
  auto workload = Shell("exec sleep 1000");
  workload.ports = {{"http", 18'080, 0, "tcp"}};
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto name = bench.apps["web"].replicas[0].name;
  auto bad = workload;
  bad.command.back() = "exit 1";
  bad.health.start_ms = 60'000;
  REQUIRE(bench.Apply(Assigned("web", 2, bad)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kFailed, 2));
  REQUIRE(bench.Until([&] {
    const auto& replicas = bench.apps["web"].replicas;
    return replicas.size() == 1 && replicas[0].name == name && replicas[0].phase == AppPhase::kHealthy;
  }));
  CHECK(bench.apps["web"].phase == AppPhase::kFailed);
  // The next agent does not try the bad one again.
  const auto pid = bench.PidOf("web");
  bench.Start({Assigned("web", 2, bad)});
  REQUIRE(bench.UntilPhase("web", AppPhase::kFailed, 2));
  bench.Lines("web", 0);
  CHECK(bench.PidOf("web") == pid);
  CHECK(bench.apps["web"].replicas.size() == 1);
  workload.command.back() = "echo third; exec sleep 1000";
  REQUIRE(bench.Apply(Assigned("web", 3, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy, 3));
  CHECK(bench.States("web").size() == 1);
}
