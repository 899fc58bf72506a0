// Relays that add up masked updates of the sites behind them.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using K = api::TaskKind;

constexpr int kRelays = 2;
constexpr K kSteps[] = {K::kMaskKeys, K::kMaskShares, K::kTrain, K::kMaskConsent, K::kMaskUnmask};

// site-a, c, e … behind relay-0, the others behind relay-1, and one with no relay before it.
std::vector<Site> Sites(int count, bool behind_relays = true) {
  std::vector<Site> out;
  for (int i = 0; i < count; ++i) {
    Site site = MakeSite("site-" + std::string(1, static_cast<char>('a' + i)), 40 + 7 * i);
    if (behind_relays) site.via = "relay-" + std::to_string(i % kRelays);
    out.push_back(std::move(site));
  }
  out.push_back(MakeSite("site-z", 33));
  return out;
}

api::RunSpec Spec(api::RelayKind relays = api::RelayKind::kFold, std::int64_t rounds = 1) {
  auto spec = fake::MakeSpec(rounds, 3);
  spec.masks.kind = api::MaskKind::kPairwise;
  spec.relays = relays;
  return spec;
}

// Goes on, past deadlines and kills, until the run is over.
void PlayOut(Federation& federation) {
  for (int i = 0; i < 60 && !federation.over; ++i) {
    federation.Play();
    if (!federation.Alive()) {
      REQUIRE(federation.Restart());
    } else if (!federation.over) {
      federation.Advance(std::chrono::seconds(61));
    }
  }
  REQUIRE(federation.over);
}

std::string FinalDigest(Federation& federation) {
  REQUIRE(federation.Start());
  PlayOut(federation);
  INFO(federation.View().message);
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  return federation.View().model.digest;
}

std::string CarriedDigest(int count, std::int64_t rounds = 1) {
  Federation federation(Spec(api::RelayKind::kCarry, rounds), Sites(count, false));
  return FinalDigest(federation);
}

// Sites whose updates were fetched. The measures of the finished model, which are small, come from each site itself.
std::vector<std::string> Updates(const Federation& federation) {
  auto out = federation.fetched;
  const auto sites = federation.View().rounds.back().participants.size();
  REQUIRE(out.size() >= sites);
  out.resize(out.size() - sites);
  return out;
}

}  // namespace

TEST_CASE("a masked run whose relays fold ends with the model of the carried one, and asks each relay once a round") {
  const auto carried = CarriedDigest(8, 2);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Federation federation(Spec(api::RelayKind::kFold, 2), Sites(8), seed);
    CHECK(FinalDigest(federation) == carried);
    CHECK(federation.sums_asked == 2 * kRelays);
    CHECK(Updates(federation) == std::vector<std::string>(2, "site-z"));
    for (const auto& round : federation.View().rounds) CHECK(round.participants.size() == 9);
    CHECK(federation.artifacts.size() == 1);
  }
}

TEST_CASE("a relay is told how many masked updates it adds, and of no rows behind them") {
  Federation federation(Spec(), Sites(8));
  int sums = 0;
  federation.bend_sum = [&](FetchedSum& fetched, Bytes& saved) {
    ++sums;
    const auto sum = MaskedSum::Restore(saved);
    REQUIRE(sum);
    CHECK(sum->updates() == 4);
    CHECK(sum->weight() == 4);
    CHECK(fetched.folded.size() == 4);
  };
  FinalDigest(federation);
  CHECK(sums == kRelays);
}

TEST_CASE("sites are told that relays fold with the task whose answer is an update, and with no other") {
  Federation federation(Spec(), Sites(4));
  FinalDigest(federation);
  std::set<K> seen;
  for (const auto& task : federation.tasks) {
    seen.insert(task.kind);
    CHECK(task.relays.has_value() == (task.kind == K::kTrain));
  }
  for (const K step : kSteps) CHECK(seen.count(step) == 1);
}

TEST_CASE("a masked sum that is not that of the sites it names is refused, and their updates are fetched one by one") {
  const auto carried = CarriedDigest(8);
  const auto bend = GENERATE(as<int>(), 0, 1, 2, 3, 4, 5);
  Federation federation(Spec(), Sites(8));
  federation.bend_sum = [bend](FetchedSum& fetched, Bytes& saved) {
    if (bend == 0) saved[8] += 1;                                // its weight
    if (bend == 1) fetched.folded.pop_back();                    // one more in it than it says
    if (bend == 2) fetched.folded.push_back("site-z");           // one that was not asked for
    if (bend == 3) fetched.folded.push_back(fetched.folded[0]);  // one twice
    if (bend == 4) saved.resize(saved.size() - 4);
    if (bend == 5) saved = Accumulator(15, *ChooseGrid(1000)).Save();  // an exact one
    fetched.sum = saved;
  };
  CHECK(FinalDigest(federation) == carried);
  CHECK(federation.Told("sum-refused", "relay-0"));
  CHECK(federation.Told("sum-refused", "relay-1"));
  CHECK(Updates(federation).size() == 9);
}

TEST_CASE("a relay that puts something else into a masked sum spoils it, and this is seen") {
  Federation federation(Spec(), Sites(8));
  federation.bend_sum = [](FetchedSum& fetched, Bytes& saved) {
    for (std::size_t i = 32; i < saved.size(); ++i) saved[i] = 7;
    fetched.sum = saved;
  };
  REQUIRE(federation.Start());
  PlayOut(federation);
  CHECK(federation.View().status == api::RunStatus::kFailed);
  CHECK(federation.View().message.find("do not cancel") != std::string::npos);
}

TEST_CASE("a relay that is lost with its masked sum costs nothing: the updates are fetched one by one") {
  Federation federation(Spec(), Sites(8));
  federation.lost_relays = {"relay-1"};
  CHECK(FinalDigest(federation) == CarriedDigest(8));
  CHECK(Updates(federation).size() == 5);
  CHECK(federation.Told("sum-failed", "relay-1"));
}

TEST_CASE("a masked update that a relay had no time for is asked of it again, with the others that are left") {
  Federation federation(Spec(), Sites(8));
  federation.slow_for_relays = {"site-a", "site-c"};
  CHECK(FinalDigest(federation) == CarriedDigest(8));
  CHECK(federation.sums_asked == kRelays + 1);
  CHECK(Updates(federation) == std::vector<std::string>{"site-z"});
}

TEST_CASE("sites behind relays may leave at every step, and the masked sum is of those whose updates are in") {
  for (const K step : kSteps) {
    INFO(NameOf(step));
    Federation carried(Spec(api::RelayKind::kCarry), Sites(8, false));
    carried.leaves = {{"site-b", step}, {"site-e", step}};
    const auto digest = FinalDigest(carried);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      Federation federation(Spec(), Sites(8), seed);
      federation.leaves = carried.leaves;
      CHECK(FinalDigest(federation) == digest);
      CHECK(federation.View().rounds[0].participants == carried.View().rounds[0].participants);
      CHECK(federation.View().rounds[0].left_out == carried.View().rounds[0].left_out);
      CHECK(federation.sums_asked == kRelays);
    }
  }
}

TEST_CASE(
    "a masked round waits at its deadline for the sums of what was offered in time, and goes on without the rest") {
  Federation federation(Spec(), Sites(8));
  federation.leaves = {{"site-a", K::kTrain}, {"site-b", K::kTrain}};  // one behind each relay
  REQUIRE(federation.Start());
  federation.Play();
  CHECK(federation.sums_asked == 0);
  federation.Advance(std::chrono::seconds(61));
  CHECK(federation.sums_asked == kRelays);
  // Not one that is in a sum has been asked to consent to it yet.
  CHECK(federation.tasks.back().kind == K::kTrain);
  CHECK(federation.View().status == api::RunStatus::kRunning);
  federation.Play();
  REQUIRE(federation.View().rounds.size() == 1);
  CHECK(federation.View().rounds[0].participants.size() == 7);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"site-a", "site-b"});
  CHECK_FALSE(federation.Told("run-paused"));
}

TEST_CASE("a sum of a try that was given up is passed over, and the next try folds anew") {
  const std::vector<std::string> left{"site-a", "site-c", "site-e"};
  // The others fail when the sum of relay-0 is on its way: too few are left to unmask this try.
  const auto fails = [](fake::Answer& answer) { answer.offer.failed = answer.offer.kind == K::kTrain; };
  Federation federation(Spec(), Sites(6));
  Federation carried(Spec(api::RelayKind::kCarry), Sites(6, false));
  for (const char* name : {"site-b", "site-d", "site-f", "site-z"}) {
    federation.bend[name] = carried.bend[name] = fails;
  }
  federation.shuffle = false;
  std::vector<bool> tried_anew;
  federation.bend_sum = [&](FetchedSum& fetched, Bytes&) {
    tried_anew.push_back(federation.Told("round-tried-anew"));
    CHECK(fetched.folded == left);
    if (tried_anew.size() == 1) CHECK_FALSE(federation.Told("update-folded"));
  };
  const auto digest = FinalDigest(federation);
  CHECK(tried_anew == std::vector<bool>{true, true});
  CHECK(federation.View().rounds[0].participants == left);
  CHECK(FinalDigest(carried) == digest);
}

TEST_CASE("a site that refuses to be folded has its masked update fetched, while others behind its relay fold") {
  auto sites = Sites(8);
  sites[0].dataset->fold = api::FoldPolicy::kRefuse;
  Federation federation(Spec(), sites);
  CHECK(FinalDigest(federation) == CarriedDigest(8));
  CHECK(federation.sums_asked == kRelays);
  auto fetched = Updates(federation);
  std::sort(fetched.begin(), fetched.end());
  CHECK(fetched == std::vector<std::string>{"site-a", "site-z"});
  const auto told = std::count_if(federation.tasks.begin(), federation.tasks.end(),
                                  [](const api::Task& task) { return task.relays.has_value(); });
  CHECK(told == 8);  // of nine
}

TEST_CASE("a root that is killed after any action ends a masked folded run with the same model") {
  const auto carried = CarriedDigest(4);
  Federation whole(Spec(), Sites(4), 3);
  REQUIRE(FinalDigest(whole) == carried);
  REQUIRE(whole.sums_asked == kRelays);
  for (int at = 0; at < whole.actions; at += 5) {
    INFO("killed after " << at << " actions");
    Federation federation(Spec(), Sites(4), 3);
    federation.kill_after = at;
    (void)federation.Start();
    PlayOut(federation);
    CHECK(federation.View().model.digest == carried);
    CHECK(federation.View().rounds[0].participants.size() == 5);
  }
}

TEST_CASE("noise of the sites goes into the sums of relays, masked or by each for itself") {
  auto spec = Spec();
  spec.privacy.kind = api::NoiseKind::kDistributed;
  spec.privacy.noise_multiplier = 0.01;
  Federation distributed(spec, Sites(8));
  FinalDigest(distributed);
  CHECK(distributed.sums_asked == kRelays);
  CHECK(distributed.View().rounds[0].participants.size() == 9);

  // Made-up sites add none, so that the models can be compared.
  spec.privacy.kind = api::NoiseKind::kLocal;
  for (const auto masks : {api::MaskKind::kNone, api::MaskKind::kPairwise}) {
    spec.masks.kind = masks;
    spec.relays = api::RelayKind::kFold;
    Federation folded(spec, Sites(8));
    spec.relays = api::RelayKind::kCarry;
    Federation carried(spec, Sites(8, false));
    CHECK(FinalDigest(folded) == FinalDigest(carried));
    CHECK(folded.sums_asked == kRelays);
  }
}

}  // namespace ote::federate
