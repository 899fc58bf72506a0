// Whole runs under secure aggregation: the machine, the real sites' side, and what may happen between them.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/federate/masks/maskable.h"
#include "core/federate/model_file.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using K = api::TaskKind;

constexpr K kSteps[] = {K::kMaskKeys, K::kMaskShares, K::kTrain, K::kMaskConsent, K::kMaskUnmask};

std::vector<Site> Sites(int count) {
  std::vector<Site> out;
  for (int i = 0; i < count; ++i)
    out.push_back(MakeSite("site-" + std::string(1, static_cast<char>('a' + i)), 40 + 7 * i));
  return out;
}

api::RunSpec Spec(std::int64_t rounds = 2, std::int64_t minimum = 3) {
  api::RunSpec spec = fake::MakeSpec(rounds, minimum);
  spec.masks.kind = api::MaskKind::kPairwise;
  return spec;
}

std::vector<float> ModelOf(Federation& federation) {
  return ReadModelFile(federation.artifacts.at(federation.View().model.digest))->values;
}

// Goes on, past deadlines, until the run is over.
void PlayOut(Federation& federation, int most = 60) {
  for (int i = 0; i < most && federation.Alive() && !federation.over; ++i) {
    federation.Play();
    if (!federation.over && federation.Alive()) federation.Advance(std::chrono::seconds(61));
  }
}

std::string FinalDigest(Federation& federation) {
  REQUIRE(federation.Start().has_value());
  PlayOut(federation);
  REQUIRE(federation.over);
  INFO(federation.View().message);
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  return federation.View().model.digest;
}

TEST_CASE("a masked run ends with the same model whatever its masks are and in whatever order sites answer") {
  Federation one(Spec(), Sites(5), 1);
  Federation two(Spec(), Sites(5), 2);
  const std::string digest = FinalDigest(one);
  CHECK(FinalDigest(two) == digest);
  CHECK(one.View().rounds.size() == 2);
  CHECK(one.View().rounds[0].participants.size() == 5);
  // And nothing of the steps is left.
  CHECK(one.artifacts.size() == 1);
}

TEST_CASE("a masked run ends with the model of the plain one, within the stated error") {
  api::RunSpec spec = Spec(1);
  Federation masked(spec, Sites(6));
  spec.masks.kind = api::MaskKind::kNone;
  Federation plain(spec, Sites(6));
  FinalDigest(masked);
  FinalDigest(plain);
  const auto a = ModelOf(masked);
  const auto b = ModelOf(plain);
  REQUIRE(a.size() == b.size());
  // Six sites that all stay and a bound of 1: N·2^-30·W/w with W/w below 4, and the rounding to float32 twice.
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= 6 * 0x1p-28 + 2 * 0x1p-24);
  }
  CHECK(a != b);
}

TEST_CASE("measures of masked rounds are those of all sites together, and the root is told none of one site") {
  api::RunSpec spec = Spec(1);
  Federation masked(spec, Sites(4));
  spec.masks.kind = api::MaskKind::kNone;
  Federation plain(spec, Sites(4));
  std::vector<api::UpdateOffer> seen;
  for (const char* name : {"site-a", "site-b", "site-c", "site-d"}) {
    masked.bend[name] = [&seen](fake::Answer& answer) { seen.push_back(answer.offer); };
  }
  FinalDigest(masked);
  FinalDigest(plain);
  for (const auto& offer : seen) {
    CHECK(offer.metrics.rows == 0);
    CHECK(offer.train_loss == 0);
  }
  std::string a;
  std::string b;
  for (const auto& event : masked.events) {
    if (event.kind == "initial-model-measured") a = event.message;
  }
  for (const auto& event : plain.events) {
    if (event.kind == "initial-model-measured") b = event.message;
  }
  CHECK(a == b);
  CHECK_FALSE(a.empty());
}

TEST_CASE("the finished model of a masked run is measured under masks, and what each site measured is told to nobody") {
  api::RunSpec spec = Spec(1);
  Federation masked(spec, Sites(4));
  spec.masks.kind = api::MaskKind::kNone;
  Federation plain(spec, Sites(4));
  std::int64_t evaluations = 0;
  for (const char* name : {"site-a", "site-b", "site-c", "site-d"}) {
    masked.bend[name] = [&evaluations](fake::Answer& answer) {
      if (answer.offer.round != 2) return;
      CHECK(answer.offer.metrics.rows == 0);
      CHECK(answer.offer.train_loss == 0);
      if (answer.offer.kind != K::kEvaluate) return;
      ++evaluations;
      CHECK(answer.offer.size < 1000);  // measures, and no model
    };
  }
  FinalDigest(masked);
  FinalDigest(plain);
  CHECK(evaluations == 4);
  const api::Metrics& a = masked.View().metrics;
  const api::Metrics& b = plain.View().metrics;
  CHECK(a.rows == b.rows);
  CHECK(a.rows > 0);
  CHECK(*a.loss == Approx(*b.loss).margin(1e-4));
  CHECK(*a.accuracy == Approx(*b.accuracy).margin(1e-4));
  CHECK(masked.View().message.empty());
  CHECK(masked.registered->metrics.rows == b.rows);
  for (const api::RunEvent& event : masked.events)
    CHECK_FALSE((event.kind == "model-measured" && !event.cluster.empty()));
}

TEST_CASE("a masked run whose finished model cannot be measured finishes with it, and says why") {
  Federation whole(Spec(1), Sites(5));
  const std::string digest = FinalDigest(whole);
  for (const K step : {K::kMaskKeys, K::kMaskShares, K::kEvaluate, K::kMaskConsent, K::kMaskUnmask}) {
    INFO(NameOf(step));
    for (const bool fails : {false, true}) {
      Federation federation(Spec(1), Sites(5));
      for (const char* name : {"site-a", "site-b", "site-c", "site-d"}) {
        federation.bend[name] = [&, fails](fake::Answer& answer) {
          if (answer.offer.round != 2 || answer.offer.kind != step) return;
          answer.offer.failed = fails;
          answer.offer.stage += fails ? 0 : 100;  // of no step: as if it were lost
        };
      }
      CHECK(FinalDigest(federation) == digest);
      CHECK(federation.Told("model-not-measured"));
      CHECK(federation.View().message.find("the finished model was not measured: ") == 0);
      CHECK(federation.registered->metrics.rows == 0);
      CHECK(federation.artifacts.size() == 1);
    }
  }
}

TEST_CASE("sites may leave while the finished model is measured, and it is measured by those that are left") {
  Federation federation(Spec(1), Sites(6));
  federation.leaves = {{"site-b", K::kEvaluate}, {"site-e", K::kEvaluate}};
  FinalDigest(federation);
  std::int64_t rows = 0;
  for (const char* name : {"site-a", "site-c", "site-d", "site-f"}) rows += federation.Rows(name) / 4 + 1;
  CHECK(federation.View().metrics.rows == rows);
}

TEST_CASE("fewer than three sites are not asked to measure a masked model, nor those that are reached by hand") {
  std::vector<Site> sites = Sites(5);
  SECTION("since the others have no rows to measure on") {
    for (std::size_t i = 2; i < 5; ++i) sites[i].dataset->test_rows = 0;
  }
  SECTION("since the others are reached by hand") {
    for (std::size_t i = 2; i < 5; ++i) sites[i].by_hand = true;
  }
  Federation federation(Spec(1), sites);
  FinalDigest(federation);
  CHECK(federation.View().message.find("2 of its clusters can be asked, and a sum of masks needs 3") !=
        std::string::npos);
  for (const api::Task& task : federation.tasks) CHECK(task.round == 1);
}

TEST_CASE("sites may leave at every step, and the run ends with the model of those whose updates were in the sum") {
  for (const K step : kSteps) {
    INFO(NameOf(step));
    Federation federation(Spec(1), Sites(6));
    federation.leaves = {{"site-b", step}, {"site-e", step}};
    const std::string digest = FinalDigest(federation);
    const bool in = step == K::kMaskConsent || step == K::kMaskUnmask;
    CHECK(federation.View().rounds[0].participants.size() == (in ? 6 : 4));
    CHECK(federation.View().rounds[0].left_out.size() == (in ? 0 : 2));
    // The same sites, the same model, whenever it was that the others left.
    static std::map<bool, std::string> digests;
    CHECK(digests.emplace(in, digest).first->second == digest);
  }
}

TEST_CASE("a root that is killed after any action ends with the same model") {
  Federation whole(Spec(1), Sites(4));
  whole.shuffle = false;
  const std::string digest = FinalDigest(whole);
  const int actions = whole.actions;
  REQUIRE(actions > 60);
  for (int at = 0; at < actions; ++at) {
    INFO("killed after " << at << " actions");
    Federation federation(Spec(1), Sites(4));
    federation.shuffle = false;
    federation.kill_after = at;
    if (!federation.Start() || !federation.Alive()) REQUIRE(federation.Restart().has_value());
    for (int i = 0; i < 60 && !federation.over; ++i) {
      federation.Play();
      if (!federation.Alive()) {
        REQUIRE(federation.Restart().has_value());
      } else if (!federation.over) {
        federation.Advance(std::chrono::seconds(61));
      }
    }
    REQUIRE(federation.over);
    INFO(federation.View().message);
    CHECK(federation.View().model.digest == digest);
  }
}

// Plays until the sum is being unmasked, which takes without end.
void PlayUntilUnmasking(Federation& federation) {
  federation.holds_unmasking = true;
  REQUIRE(federation.Start().has_value());
  for (int i = 0; i < 1000 && federation.unmasks == 0; ++i) REQUIRE(federation.Step());
}

TEST_CASE("while a sum is unmasked the run says so, and has all the time that it takes") {
  Federation whole(Spec(1), Sites(4));
  const std::string digest = FinalDigest(whole);
  CHECK(whole.unmasks == 2);  // and that of the finished model's measures
  Federation federation(Spec(1), Sites(4));
  PlayUntilUnmasking(federation);
  federation.Play();  // the shares that come late
  CHECK(federation.View().status == api::RunStatus::kRunning);
  CHECK(federation.View().message == "round 1 of 1: unmasking the sum of 4 clusters");
  const std::size_t told = federation.events.size();
  federation.Advance(std::chrono::hours(5));
  federation.SetReachable("site-b", false);
  CHECK(federation.View().status == api::RunStatus::kRunning);
  CHECK(federation.View().message == "round 1 of 1: unmasking the sum of 4 clusters");
  CHECK(federation.events.size() == told);
  CHECK(federation.unmasks == 1);
  // A root that is killed now does it again, and asks no site for anything.
  federation.SetReachable("site-b", true);
  federation.Kill();
  federation.tasks.clear();
  federation.holds_unmasking = false;
  REQUIRE(federation.Restart().has_value());
  CHECK(federation.unmasks == 2);
  CHECK(federation.tasks.empty());
  PlayOut(federation);
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().model.digest == digest);
}

TEST_CASE("what comes of unmasking the sum of a run that was cancelled meanwhile is passed over") {
  Federation federation(Spec(1), Sites(4));
  PlayUntilUnmasking(federation);
  const Error error{ErrorId::kMaskForged, "too late", {}};
  federation.Handle(Unmasked{7, nullptr, error});  // of an earlier one
  CHECK(federation.View().status == api::RunStatus::kRunning);
  federation.Handle(Cancelled{});
  CHECK(federation.over);
  federation.Handle(Unmasked{1, nullptr, error});
  CHECK(federation.View().status == api::RunStatus::kCancelled);
  // Taken up again it goes on with the same sum.
  federation.Kill();
  federation.holds_unmasking = false;
  REQUIRE(federation.Restart(Resume::kYes).has_value());
  PlayOut(federation);
  CHECK(federation.View().status == api::RunStatus::kFinished);
}

TEST_CASE("with checkpoints of the masked sum a restart rebuilds it") {
  Federation whole(Spec(1), Sites(8));
  const std::string digest = FinalDigest(whole);
  Federation federation(Spec(1), Sites(8));
  federation.limits.spool_bytes = 1000;
  REQUIRE(federation.Start().has_value());
  for (int i = 0; i < 2000 && !federation.over; ++i) {
    if (!federation.Step()) federation.Advance(std::chrono::seconds(61));
    if (i % 17 == 16 && !federation.over) {
      federation.Kill();
      REQUIRE(federation.Restart().has_value());
    }
  }
  REQUIRE(federation.over);
  CHECK(federation.View().model.digest == digest);
}

TEST_CASE("a round that too few are left for is tried anew with fresh keys, by those that are there") {
  for (const K step : {K::kMaskShares, K::kTrain, K::kMaskConsent}) {
    INFO(NameOf(step));
    Federation federation(Spec(1), Sites(6));
    federation.bend["site-a"] = [&](fake::Answer& answer) { answer.offer.failed = answer.offer.kind == step; };
    for (const char* name : {"site-b", "site-c"}) federation.bend[name] = federation.bend["site-a"];
    REQUIRE(federation.Start().has_value());
    PlayOut(federation);
    REQUIRE(federation.over);
    CHECK(federation.Told("round-tried-anew"));
    CHECK(federation.View().status == api::RunStatus::kFinished);
    CHECK(federation.View().rounds[0].participants == std::vector<std::string>{"site-d", "site-e", "site-f"});
    CHECK(federation.View().rounds[0].failed.size() == 3);
  }
}

TEST_CASE("while too few are there the run is paused and names them, and goes on when they are back") {
  Federation federation(Spec(1), Sites(3));
  federation.leaves = {{"site-b", K::kMaskUnmask}, {"site-c", K::kMaskUnmask}};
  REQUIRE(federation.Start().has_value());
  for (int i = 0; i < 4; ++i) {
    federation.Play();
    federation.Advance(std::chrono::seconds(61));
  }
  REQUIRE_FALSE(federation.over);
  CHECK(federation.View().status == api::RunStatus::kPaused);
  CHECK(federation.View().message.find("mask-unmask: waiting for site-b and site-c") != std::string::npos);
  federation.leaves.clear();
  federation.silent.clear();
  federation.SetReachable("site-b", false);
  federation.SetReachable("site-b", true);
  PlayOut(federation);
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants.size() == 3);
}

TEST_CASE("two sites are too few for a sum, whatever the minimum says") {
  Federation federation(Spec(1, 1), Sites(2));
  REQUIRE(federation.Start().has_value());
  federation.Play();
  CHECK(federation.View().status == api::RunStatus::kPaused);
  CHECK(federation.View().message.find("needs 3 clusters") != std::string::npos);
  federation.Change(MakeSite("site-x", 50));
  PlayOut(federation);
  CHECK(federation.View().status == api::RunStatus::kFinished);
}

TEST_CASE("a site that lies about a share is refused and named, and the round is finished without its shares") {
  Federation federation(Spec(1), Sites(5));
  federation.shuffle = false;  // or it comes when there are shares enough
  federation.bend["site-b"] = [](fake::Answer& answer) {
    if (answer.offer.kind != K::kMaskUnmask) return;
    auto shares = *FromCbor<api::MaskShares>(answer.offer.masks);
    shares.shares[0].share[0] ^= 1;
    answer.offer.masks = ToCbor(shares);
  };
  FinalDigest(federation);
  REQUIRE(federation.View().refused.size() == 1);
  CHECK(federation.View().refused[0].reason == "OTE-E0332");
  CHECK(federation.View().refused[0].last_cluster == "site-b");
  CHECK(federation.View().rounds[0].participants.size() == 5);
}

TEST_CASE("an update that is not masked spoils the sum, and this is seen") {
  Federation federation(Spec(1), Sites(4));
  federation.bend["site-b"] = [](fake::Answer& answer) {
    if (answer.offer.kind != K::kTrain) return;
    answer.update.assign(answer.update.size(), 7);
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
  REQUIRE(federation.Start().has_value());
  PlayOut(federation);
  CHECK(federation.View().status == api::RunStatus::kFailed);
  CHECK(federation.View().message.find("do not cancel") != std::string::npos);
}

TEST_CASE("keys that are another site's are refused, and the others go on") {
  Federation federation(Spec(1), Sites(5));
  Bytes stolen;
  federation.shuffle = false;
  federation.bend["site-a"] = [&](fake::Answer& answer) {
    if (answer.offer.kind == K::kMaskKeys) stolen = answer.offer.masks;
  };
  federation.bend["site-b"] = [&](fake::Answer& answer) {
    if (answer.offer.kind == K::kMaskKeys) answer.offer.masks = stolen;
  };
  FinalDigest(federation);
  CHECK(federation.View().refused[0].reason == "OTE-E0331");
  CHECK(federation.View().rounds[0].participants.size() == 4);
}

TEST_CASE("masks go with every strategy that works on sums, and are refused with the others") {
  for (const StrategyInfo* info : AllStrategies()) {
    INFO(NameOf(info->kind));
    api::RunSpec spec = Spec(2);
    spec.strategy.kind = info->kind;
    spec.sites.minimum = 4;
    spec.strategy.buffer = 4;
    const auto checked = CheckMaskable(spec);
    CHECK(checked.has_value() == WorksOnSums(info->kind));
    if (!checked) {
      CHECK(checked.error().id == ErrorId::kRunInvalid);
      CHECK_FALSE(checked.error().hint.empty());
      continue;
    }
    Federation federation(spec, Sites(5));
    FinalDigest(federation);
  }
  api::RunSpec spec = Spec();
  spec.strategy.clip_norm = 1;
  CHECK_FALSE(CheckMaskable(spec).has_value());
  spec = Spec();
  spec.model.kind = api::ModelKind::kKmeans;
  CHECK_FALSE(CheckMaskable(spec).has_value());
}

}  // namespace
}  // namespace ote::federate
