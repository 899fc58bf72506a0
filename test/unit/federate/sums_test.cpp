// Relays that fold the updates of the sites behind them.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/federate/plan.h"
#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Answer;
using fake::Federation;
using fake::MakeSite;

constexpr int kRelays = 3;
constexpr int kEach = 4;

std::vector<Site> Sites(bool behind_relays) {
  std::vector<Site> out;
  for (int i = 0; i < kRelays * kEach; ++i) {
    Site site = MakeSite("site-" + std::to_string(i), 20 + 7 * i);
    if (behind_relays) site.via = "relay-" + std::to_string(i % kRelays);
    out.push_back(std::move(site));
  }
  out.push_back(MakeSite("near", 33));
  return out;
}

api::RunSpec Spec(api::RelayKind relays, std::int64_t rounds = 3) {
  auto spec = fake::MakeSpec(rounds, 2);
  spec.relays = relays;
  return spec;
}

std::string FlatDigest(std::int64_t rounds = 3) {
  Federation federation(Spec(api::RelayKind::kCarry, rounds), Sites(false));
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  return federation.View().model.digest;
}

void CheckFlat(Federation& federation, const std::string& flat) {
  INFO(federation.View().message);
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().model.digest == flat);
  for (const auto& round : federation.View().rounds) CHECK(round.participants.size() == kRelays * kEach + 1);
}

}  // namespace

TEST_CASE("a run whose relays fold ends with the model of the flat one, and asks each relay once a round") {
  const auto flat = FlatDigest();
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Federation federation(Spec(api::RelayKind::kFold), Sites(true), seed);
    REQUIRE(federation.Start());
    federation.Play();
    CheckFlat(federation, flat);
    CHECK(federation.sums_asked == 3 * kRelays);
    CHECK(federation.fetched == std::vector<std::string>(3, "near"));
    CHECK(federation.artifacts.size() == 1);
  }
}

TEST_CASE("sites are told with their task that relays fold") {
  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  REQUIRE(federation.Start());
  REQUIRE_FALSE(federation.tasks.empty());
  CHECK(federation.tasks.front().relays == api::RelayKind::kFold);
  Federation carried(Spec(api::RelayKind::kCarry, 1), Sites(true));
  REQUIRE(carried.Start());
  CHECK_FALSE(carried.tasks.front().relays.has_value());
  carried.Play();
  CHECK(carried.sums_asked == 0);
}

TEST_CASE("a relay that is lost while it folds costs nothing: its updates are fetched one by one") {
  const auto flat = FlatDigest();
  Federation federation(Spec(api::RelayKind::kFold), Sites(true));
  federation.lost_relays = {"relay-1"};
  REQUIRE(federation.Start());
  federation.Play();
  CheckFlat(federation, flat);
  CHECK(federation.fetched.size() == 3 * (kEach + 1));
}

TEST_CASE("a sum that is not that of the sites it names is refused, and their updates are fetched one by one") {
  const auto flat = FlatDigest(1);
  const auto bend = GENERATE(as<int>(), 0, 1, 2, 3, 4);
  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  federation.bend_sum = [bend](FetchedSum& fetched, Bytes& saved) {
    if (bend == 0) saved[24] ^= 1;                               // its weight
    if (bend == 1) fetched.folded.pop_back();                    // one more in it than it says
    if (bend == 2) fetched.folded.push_back("near");             // one that was not asked for
    if (bend == 3) fetched.folded.push_back(fetched.folded[0]);  // one twice
    if (bend == 4) saved.resize(saved.size() - 8);
    fetched.sum = saved;
  };
  REQUIRE(federation.Start());
  federation.Play();
  CheckFlat(federation, flat);
  CHECK(federation.Told("sum-refused", "relay-0"));
  CHECK(federation.fetched.size() == kRelays * kEach + 1);
}

TEST_CASE("an update that a relay finds wrong is fetched, and refused by name as if it had come directly") {
  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  federation.bend["site-4"] = [](Answer& answer) {
    if (answer.update.empty()) return;
    std::vector<float> values(15, std::numeric_limits<float>::quiet_NaN());
    answer.update = fake::AsUpdate(values);
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
  REQUIRE(federation.Start());
  federation.Play();
  const auto& run = federation.View();
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds[0].participants.size() == kRelays * kEach);
  REQUIRE(run.refused.size() == 1);
  CHECK(run.refused[0].last_cluster == "site-4");
  CHECK(run.refused[0].reason == Error{ErrorId::kUpdateNotFinite, "", {}}.Code());
}

TEST_CASE("what a relay had no time for is asked of it again") {
  const auto flat = FlatDigest(1);
  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  federation.slow_for_relays = {"site-3", "site-6"};  // both behind relay-0
  REQUIRE(federation.Start());
  federation.Play();
  CheckFlat(federation, flat);
  CHECK(federation.sums_asked == kRelays + 1);
  CHECK(federation.fetched == std::vector<std::string>{"near"});
}

TEST_CASE("a round waits at its deadline for the sums of what was offered in time") {
  const auto sites = Sites(true);
  Federation federation(Spec(api::RelayKind::kFold, 1), sites);
  federation.silent = {"site-0", "site-1", "site-2"};  // one behind each relay
  REQUIRE(federation.Start());
  federation.Play();
  // Only the one with no relay before it is in the sum yet.
  CHECK(federation.sums_asked == 0);
  CHECK(federation.View().rounds.empty());
  federation.Advance(std::chrono::seconds(61));
  CHECK(federation.sums_asked == kRelays);
  CHECK(federation.View().rounds.empty());
  federation.Play();
  REQUIRE(federation.View().rounds.size() == 1);
  const auto& round = federation.View().rounds[0];
  CHECK(round.participants.size() == kRelays * (kEach - 1) + 1);
  CHECK(round.left_out == std::vector<std::string>{"site-0", "site-1", "site-2"});
}

TEST_CASE("a site that moved to another relay, or away from one, is in the model once") {
  const auto flat = FlatDigest(1);
  auto sites = Sites(true);
  Federation federation(Spec(api::RelayKind::kFold, 1), sites);
  federation.shuffle = false;
  REQUIRE(federation.Start());
  bool moved = false;
  federation.bend_sum = [&](FetchedSum&, Bytes&) {
    if (std::exchange(moved, true)) return;
    for (auto& site : sites) {
      if (site.via != "relay-0") continue;
      site.via = site.name == "site-0" ? "" : "relay-1";
      federation.Change(site);
    }
  };
  federation.Play();
  CheckFlat(federation, flat);
}

TEST_CASE("a sum that comes too late again and again is given up, and what it was to bring is fetched one by one") {
  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  std::uint64_t spoiled = 0;
  federation.bend_sum = [&](FetchedSum& fetched, Bytes&) {
    const auto& in = fetched.folded;
    if (std::find(in.begin(), in.end(), "site-3") == in.end()) return;
    api::Task task = federation.tasks.front();
    task.seed.value = ++spoiled;  // another update each time, while the one before is added
    federation.Offer("site-3", fake::Train(task, federation.Rows("site-3")));
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants.size() == kRelays * kEach + 1);
  CHECK(spoiled == 3);
  CHECK(federation.sums_asked == kRelays + 2);
  CHECK(federation.fetched.size() == kEach + 1);
  for (const auto* site : {"site-0", "site-3", "site-6", "site-9"}) CHECK(federation.Told("fold-given-up", site));
}

TEST_CASE("the update of a site that refuses to be folded is asked of no relay, while others behind it fold") {
  const auto flat = FlatDigest();
  auto sites = Sites(true);
  sites[4].dataset->fold = api::FoldPolicy::kRefuse;
  Federation federation(Spec(api::RelayKind::kFold), sites);
  bool asked = false;
  federation.bend_sum = [&](FetchedSum& fetched, Bytes&) {
    asked = asked || std::find(fetched.folded.begin(), fetched.folded.end(), "site-4") != fetched.folded.end();
  };
  REQUIRE(federation.Start());
  federation.Play();
  CheckFlat(federation, flat);
  CHECK_FALSE(asked);
  CHECK(federation.sums_asked == 3 * kRelays);
  CHECK(std::count(federation.fetched.begin(), federation.fetched.end(), "site-4") == 3);
  CHECK(federation.fetched.size() == 3 * 2);
  // It is told that nobody but the root reads its update.
  const auto unread = std::count_if(federation.tasks.begin(), federation.tasks.end(), [](const api::Task& task) {
    return task.kind == api::TaskKind::kTrain && !task.relays;
  });
  CHECK(unread == 3);
}

TEST_CASE("a site that is removed while a relay folds its update is not in the model") {
  auto without = Sites(false);
  std::erase_if(without, [](const Site& site) { return site.name == "site-5"; });
  Federation other(Spec(api::RelayKind::kCarry, 1), Sites(false));
  REQUIRE(other.Start());
  other.Remove("site-5");
  other.Play();

  Federation federation(Spec(api::RelayKind::kFold, 1), Sites(true));
  bool removed = false;
  federation.bend_sum = [&](FetchedSum& fetched, Bytes&) {
    const auto& in = fetched.folded;
    if (removed || std::find(in.begin(), in.end(), "site-5") == in.end()) return;
    removed = true;
    federation.Remove("site-5");
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(removed);
  CHECK(federation.View().rounds.at(0).participants == other.View().rounds.at(0).participants);
  CHECK(federation.View().model.digest == other.View().model.digest);
}

TEST_CASE("a root that is killed after any action ends a folded run with the same model") {
  const auto flat = FlatDigest(2);
  Federation whole(Spec(api::RelayKind::kFold, 2), Sites(true), 7);
  REQUIRE(whole.Start());
  whole.Play();
  for (int at = 0; at < whole.actions; at += 3) {
    Federation federation(Spec(api::RelayKind::kFold, 2), Sites(true), 7);
    federation.kill_after = at;
    (void)federation.Start();
    federation.Play();
    for (int tries = 0; tries < 3 && !federation.over; ++tries) {
      if (!federation.Alive()) REQUIRE(federation.Restart());
      federation.Play();
    }
    INFO("killed after " << at);
    CheckFlat(federation, flat);
  }
}

TEST_CASE("relays that fold are refused where the root must see each update") {
  auto spec = Spec(api::RelayKind::kFold);
  CHECK(CheckPlan(spec));
  spec.record.updates = api::KeepUpdates::kKeep;
  const auto kept = CheckPlan(spec);
  REQUIRE_FALSE(kept);
  CHECK(kept.error().message.starts_with("relays: "));
  spec = Spec(api::RelayKind::kFold);
  spec.strategy.clip_norm = 1;
  CHECK_FALSE(CheckPlan(spec));
  spec = Spec(api::RelayKind::kFold);
  spec.strategy.kind = api::StrategyKind::kMedian;
  CHECK_FALSE(CheckPlan(spec));
}

}  // namespace ote::federate
