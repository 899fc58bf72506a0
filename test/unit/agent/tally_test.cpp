#include "agent/watch/tally.h"

#include <catch2/catch.hpp>

namespace ote::agent {
namespace {

using namespace std::chrono_literals;

const Family& Find(const Families& families, const std::string& name) {
  for (const auto& family : families) {
    if (family.name == name) return family;
  }
  FAIL("no family " << name);
  return families.front();
}
double Value(const Family& family, const MetricLabels& labels) {
  for (const auto& [have, value] : family.values) {
    if (have == labels) return value;
  }
  FAIL("no such sample of " << family.name);
  return 0;
}
Families Told(const Tally& tally) {
  Families out;
  tally.AddTo(out);
  return out;
}

}  // namespace

TEST_CASE("answers are counted by verb, and what the caller did wrong apart from what failed") {
  Tally tally;
  const ErrorId permission = ErrorId::kPermission;
  const ErrorId store = ErrorId::kStoreFailed;
  tally.Answered("fl.start", nullptr, 3ms);
  tally.Answered("fl.start", &permission, 3ms);
  tally.Answered("fl.start", &store, 700ms);
  const auto told = Told(tally);
  const auto& requests = Find(told, "ote_rpc_requests_total");
  CHECK(Value(requests, {{"verb", "fl.start"}, {"outcome", "ok"}}) == 1);
  CHECK(Value(requests, {{"verb", "fl.start"}, {"outcome", "refused"}}) == 1);
  CHECK(Value(requests, {{"verb", "fl.start"}, {"outcome", "failed"}}) == 1);
  const auto& spread = Find(told, "ote_rpc_seconds").spreads.at(0).second;
  CHECK(spread.Count() == 3);
  CHECK(spread.sum == Approx(0.706));
  CHECK(spread.counts[2] == 2);  // up to 5 ms
  CHECK(spread.counts[9] == 1);  // up to 1 s
}

TEST_CASE("a round is measured from its start to its end, each run's by itself") {
  Tally tally;
  tally.Happened("run-a", "round-started", 1'000);
  tally.Happened("run-b", "round-started", 2'000);
  tally.Happened("run-a", "update-folded", 3'000);
  tally.Happened("run-a", "round-finished", 5'000);
  tally.Happened("run-b", "run-failed", 6'000);
  tally.Happened("run-b", "round-finished", 9'000);
  const auto told = Told(tally);
  const auto& rounds = Find(told, "ote_round_seconds").spreads.at(0).second;
  CHECK(rounds.Count() == 1);
  CHECK(rounds.sum == Approx(4));
  CHECK(Value(Find(told, "ote_updates_accepted_total"), {}) == 1);
}

TEST_CASE("a spread counts a bound to the bucket that it ends") {
  Spread spread;
  spread.Add(0.001);
  spread.Add(1000);
  CHECK(spread.counts.front() == 1);
  CHECK(spread.counts.back() == 1);
}

}  // namespace ote::agent
