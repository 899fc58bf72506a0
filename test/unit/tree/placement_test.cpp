#include "core/tree/placement.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "core/tree/selector.h"

using namespace ote;
using tree::Candidate;

namespace {

Candidate Make(const std::string& name, api::Labels labels = {}) {
  Candidate c;
  c.name = name;
  c.labels = std::move(labels);
  c.ready = true;
  c.shim = true;
  c.capacity.cpu_milli = 4000;
  c.capacity.memory = 8LL << 30;
  return c;
}
api::AppSpec Spec(std::optional<std::int64_t> replicas = {}) {
  api::AppSpec spec;
  spec.name = "web";
  spec.workload.command = {"sleep", "1"};
  spec.placement.selector = "*";
  spec.placement.replicas = replicas;
  return spec;
}
tree::Placement Must(Result<tree::Placement> placement) {
  REQUIRE(placement);
  return std::move(*placement);
}
const api::PlacementDecision& Of(const tree::Placement& placement, const std::string& cluster) {
  for (const auto& decision : placement.decisions) {
    if (decision.cluster == cluster) return decision;
  }
  throw std::runtime_error(cluster);
}

}  // namespace

TEST_CASE("without a number an app goes to every cluster that matches, also to one that is away") {
  auto spec = Spec();
  spec.placement.selector = "region=eu";
  auto away = Make("b", {{"region", "eu"}});
  away.ready = false;
  const auto placed = Must(tree::Place(spec, {Make("a", {{"region", "eu"}}), away, Make("c", {{"region", "us"}})}));
  CHECK(placed.chosen == std::vector<std::string>{"a", "b"});
  CHECK(Of(placed, "c").against.at(0) == "the selector does not match: region=eu");
}

TEST_CASE("a cluster that is reached by files is taken where it matches, whatever room it has") {
  auto spec = Spec();
  spec.workload.resources.cpu_milli = 1000;
  Candidate carried = Make("c");
  carried.ready = carried.shim = false;
  carried.capacity = {};
  carried.by_hand = true;
  const auto placed = Must(tree::Place(spec, {Make("a"), carried}));
  CHECK(placed.chosen == std::vector<std::string>{"a", "c"});
  CHECK(Of(placed, "c").by_hand);
  // With a number, only where somebody named it: nobody knows when it will have the app.
  spec.placement.replicas = 2;
  const auto some = Must(tree::Place(spec, {Make("a"), carried, Make("b")}));
  CHECK(some.chosen == std::vector<std::string>{"a", "b"});
  CHECK(Of(some, "c").against.at(0) == "it is reached by files, and not named");
  spec.placement.selector.clear();
  spec.placement.clusters = {"a", "c"};
  CHECK(Must(tree::Place(spec, {Make("a"), carried})).chosen == std::vector<std::string>{"a", "c"});
}

TEST_CASE("each reason against a cluster is told") {
  auto spec = Spec(3);
  spec.placement.constraints = {"disk=ssd", "tier!=lab"};
  spec.workload.resources.cpu_milli = 5000;
  auto cordoned = Make("a", {{"tier", "lab"}});
  cordoned.cordoned = true;
  const auto placed = Must(tree::Place(spec, {cordoned}));
  CHECK(placed.chosen.empty());
  CHECK(Of(placed, "a").against.size() == 4);
}

TEST_CASE("a cordoned cluster keeps what it has, a drained one gives it up") {
  auto kept = Make("a");
  kept.cordoned = kept.has_app = true;
  auto left = kept;
  left.name = "b";
  left.drained = true;
  auto fresh = Make("c");
  fresh.cordoned = true;
  const auto placed = Must(tree::Place(Spec(), {kept, left, fresh, Make("d")}));
  CHECK(placed.chosen == std::vector<std::string>{"a", "d"});
  CHECK(Of(placed, "a").kept);
}

TEST_CASE("the strategies choose what they are called after") {
  auto full = Make("full", {{"ote/latency-ms", "5"}, {"ote/cost", "9"}});
  full.used.memory = 6LL << 30;
  auto empty = Make("empty", {{"ote/latency-ms", "80"}, {"ote/cost", "0.5"}});
  const auto choose = [&](api::PlacementStrategy strategy) {
    auto spec = Spec(1);
    spec.workload.resources.memory = 1LL << 30;
    spec.placement.strategy = strategy;
    return Must(tree::Place(spec, {full, empty})).chosen.at(0);
  };
  CHECK(choose(api::PlacementStrategy::kSpread) == "empty");
  CHECK(choose(api::PlacementStrategy::kBinpack) == "full");
  CHECK(choose(api::PlacementStrategy::kLatency) == "full");
  CHECK(choose(api::PlacementStrategy::kCost) == "empty");
}

TEST_CASE("the nearest is the one that was measured so, unless its label says otherwise") {
  auto near = Make("near");
  near.round_trip_ms = 4;
  auto far = Make("far");
  far.round_trip_ms = 90;
  const auto unknown = Make("unknown");
  auto spec = Spec(1);
  spec.placement.strategy = api::PlacementStrategy::kLatency;
  CHECK(Must(tree::Place(spec, {unknown, far, near})).chosen.at(0) == "near");
  near.labels["ote/latency-ms"] = "200";
  const auto placed = Must(tree::Place(spec, {unknown, far, near}));
  CHECK(placed.chosen.at(0) == "far");
  CHECK(Of(placed, "near").score == Approx(20));
  CHECK(Of(placed, "unknown").score == 0);
}

TEST_CASE("spreadBy takes one of each zone before a second of any") {
  auto spec = Spec(3);
  spec.placement.spread_by = "zone";
  std::vector<Candidate> candidates;
  for (const auto* name : {"a1", "a2", "a3"}) candidates.push_back(Make(name, {{"zone", "a"}}));
  candidates.push_back(Make("b1", {{"zone", "b"}}));
  candidates.push_back(Make("c1", {{"zone", "c"}}));
  candidates[3].used.memory = candidates[4].used.memory = 7LL << 30;
  const auto chosen = Must(tree::Place(spec, candidates)).chosen;
  CHECK(std::count(chosen.begin(), chosen.end(), "b1") == 1);
  CHECK(std::count(chosen.begin(), chosen.end(), "c1") == 1);
}

TEST_CASE("nothing moves without need") {
  auto spec = Spec(1);
  auto has = Make("a");
  has.has_app = true;
  has.used.memory = 7LL << 30;
  CHECK(Must(tree::Place(spec, {has, Make("b")})).chosen == std::vector<std::string>{"a"});
  // What it has is not taken away because of a report that is missing.
  spec.workload.resources.memory = 1LL << 30;
  has.shim = false;
  has.capacity = {};
  CHECK(Must(tree::Place(spec, {has, Make("b")})).chosen == std::vector<std::string>{"a"});
  has.lost = true;
  has.ready = false;
  CHECK(Must(tree::Place(spec, {has, Make("b")})).chosen == std::vector<std::string>{"b"});
}

TEST_CASE("whatever the clusters are, constraints hold, nothing is overcommitted, and their order does not matter") {
  std::mt19937 random(7);
  const auto pick = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 300; ++round) {
    auto spec = Spec(pick(3) == 0 ? std::optional<std::int64_t>() : 1 + pick(6));
    spec.placement.strategy = static_cast<api::PlacementStrategy>(pick(4));
    spec.placement.constraints = {"tier!=lab"};
    spec.placement.prefer = {{"zone=z1", 30}};
    if (pick(2) == 0) spec.placement.spread_by = "zone";
    spec.workload.replicas = 1 + pick(3);
    spec.workload.resources.cpu_milli = pick(2000);
    spec.workload.resources.memory = pick(2 << 20) * 1024LL;
    if (pick(3) == 0) spec.workload.resources.accelerators = 1;
    std::vector<Candidate> candidates;
    for (int i = 0; i < 12; ++i) {
      auto c = Make("c" + std::to_string(i), {{"zone", "z" + std::to_string(pick(3))}});
      if (pick(4) == 0) c.labels["tier"] = "lab";
      c.ready = pick(4) != 0;
      c.cordoned = pick(6) == 0;
      c.drained = pick(8) == 0;
      c.shim = pick(8) != 0;
      c.used.cpu_milli = pick(5000);
      c.used.memory = pick(9 << 20) * 1024LL;
      if (pick(2) == 0) c.capacity.accelerators["gpu"] = pick(4);
      candidates.push_back(std::move(c));
    }
    const auto placed = Must(tree::Place(spec, candidates));
    if (spec.placement.replicas) CHECK(std::ssize(placed.chosen) <= *spec.placement.replicas);
    std::size_t able = 0;
    for (const auto& c : candidates) {
      const auto& decision = Of(placed, c.name);
      const bool fits = tree::NoRoom(spec.workload, c).empty();
      const bool can = fits && !c.drained && !c.cordoned && c.shim && !c.labels.contains("tier") &&
                       (c.ready || !spec.placement.replicas);
      able += can ? 1 : 0;
      CHECK((!decision.chosen || can));
      CHECK(decision.against.empty() == decision.chosen);
    }
    const auto wanted = spec.placement.replicas
                            ? std::min<std::size_t>(able, static_cast<std::size_t>(*spec.placement.replicas))
                            : able;
    CHECK(placed.chosen.size() == wanted);
    auto shuffled = candidates;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    CHECK(Must(tree::Place(spec, shuffled)).chosen == placed.chosen);
    // Those that were chosen are chosen again, when they have it and all else is as it was.
    for (auto& c : shuffled) {
      c.has_app = Of(placed, c.name).chosen;
      if (c.has_app) c.held = tree::NeedOf(spec.workload);
    }
    CHECK(Must(tree::Place(spec, shuffled)).chosen == placed.chosen);
  }
}
