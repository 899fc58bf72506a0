// Runs with noise at their root.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/federate/model_file.h"
#include "core/federate/privacy/cost.h"
#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;

std::vector<Site> Sites(int count) {
  std::vector<Site> out;
  for (int i = 0; i < count; ++i) out.push_back(MakeSite(fmt::format("site-{:02}", i), 40));
  return out;
}

api::RunSpec Noisy(std::int64_t rounds, std::int64_t minimum) {
  api::RunSpec spec = MakeSpec(rounds, minimum);
  spec.privacy.kind = api::NoiseKind::kCentral;
  return spec;
}

std::vector<float> ModelOf(Federation& federation) {
  return ReadModelFile(federation.artifacts.at(federation.View().model.digest))->values;
}

void Send(Federation& federation, const std::string& site, const std::vector<float>& values) {
  federation.bend[site] = [values](fake::Answer& answer) {
    if (answer.offer.kind == api::TaskKind::kEvaluate) return;
    answer.update = fake::AsUpdate(values);
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
}

TEST_CASE("with noise every site counts once, and the sum is clipped again") {
  api::RunSpec spec = Noisy(1, 2);
  spec.privacy.noise_multiplier = 0.01;
  spec.privacy.clip_norm = 0.1;
  Federation federation(spec, {MakeSite("a", 4000), MakeSite("b", 10)});
  Send(federation, "a", std::vector<float>(15, 1.0F));  // of norm 3.9, and 400 times the rows
  Send(federation, "b", std::vector<float>(15, 0.0F));
  REQUIRE(federation.Start());
  const std::vector<float> before = ModelOf(federation);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  const std::vector<float> after = ModelOf(federation);
  bool noisy = false;
  for (std::size_t i = 0; i < 15; ++i) {
    const double change = static_cast<double>(after[i]) - static_cast<double>(before[i]);
    CHECK(change == Approx(0.1 / std::sqrt(15) / 2).margin(6 * 0.001 / 2));
    noisy = noisy || std::abs(change - 0.1 / std::sqrt(15) / 2) > 1e-5;
  }
  CHECK(noisy);
  REQUIRE(federation.View().privacy);
  CHECK(federation.View().privacy->rounds == 1);
  CHECK(federation.View().privacy->epsilon == federation.View().privacy->planned_epsilon);
  CHECK(federation.Told("noise-added"));
}

TEST_CASE("the noise in the sum has the deviation that was asked for") {
  api::RunSpec spec = Noisy(20, 5);
  spec.privacy.noise_multiplier = 3;
  spec.privacy.clip_norm = 0.5;
  Federation federation(spec, Sites(5));
  for (const Site& site : federation.SiteList()) Send(federation, site.name, std::vector<float>(15, 0.0F));
  REQUIRE(federation.Start());
  const std::vector<float> before = ModelOf(federation);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  // 20 rounds of noise of 1.5 in a sum of five, and no updates.
  double square = 0;
  const std::vector<float> after = ModelOf(federation);
  for (std::size_t i = 0; i < 15; ++i) {
    square += std::pow(static_cast<double>(after[i]) - static_cast<double>(before[i]), 2);
  }
  // 15 of a chi² each: within five deviations.
  CHECK(square / (15 * 20 * 0.3 * 0.3) == Approx(1).margin(5 * std::sqrt(2.0 / 15)));
}

TEST_CASE("two runs of one seed have different noise") {
  std::set<std::string> digests;
  for (int i = 0; i < 3; ++i) {
    Federation federation(Noisy(1, 3), Sites(3));
    REQUIRE(federation.Start());
    federation.Play();
    digests.insert(federation.View().model.digest);
  }
  CHECK(digests.size() == 3);
}

TEST_CASE("a root killed after any action adds the same noise again") {
  api::RunSpec spec = Noisy(2, 2);
  spec.sites.fraction = 0.6;
  spec.privacy.clipping = api::ClipKind::kAdaptive;
  spec.strategy.kind = api::StrategyKind::kFedAdam;
  Federation first(spec, Sites(4));
  REQUIRE(first.Start());
  // The state with the secret, before anything was drawn from it.
  const auto saved = first.saved;
  const auto artifacts = first.artifacts;
  const int began = first.actions;
  first.Play();
  REQUIRE(first.View().status == api::RunStatus::kFinished);
  for (int at = 0; at <= first.actions - began + 5; ++at) {
    INFO("killed after action " << at);
    Federation again(spec, Sites(4), static_cast<std::uint64_t>(at));
    again.saved = saved;
    again.artifacts = artifacts;
    REQUIRE(again.Restart());
    again.kill_after = at;
    again.Play();
    if (!again.Alive()) {
      REQUIRE(again.Restart());
      again.Play();
    }
    REQUIRE(again.over);
    REQUIRE(again.View().status == api::RunStatus::kFinished);
    REQUIRE(again.View().model.digest == first.View().model.digest);
  }
}

TEST_CASE("what noise is made from is gone when the run has finished") {
  Federation federation(Noisy(2, 3), Sites(3));
  REQUIRE(federation.Start());
  REQUIRE(federation.saved);
  const auto secret_of = [](const Bytes& snapshot) {
    const auto json = ParseCbor(snapshot);
    REQUIRE(json);
    return (*json)["secret"].dump();
  };
  CHECK(secret_of(*federation.saved).size() > 32);
  federation.Play();
  CHECK(secret_of(*federation.saved).size() < 32);
  CHECK(ToJson(federation.View()).dump().find("secret") == std::string::npos);
}

TEST_CASE("the clipping norm follows the quantile of the updates") {
  api::RunSpec spec = Noisy(24, 10);
  spec.privacy.clipping = api::ClipKind::kAdaptive;
  spec.privacy.noise_multiplier = 0.1;
  spec.privacy.clip_norm = 0.1;
  spec.privacy.clip_learning_rate = 1;
  Federation federation(spec, Sites(10));
  int place = 0;
  for (const Site& site : federation.SiteList()) {
    const double norm = 0.2 * ++place;  // from 0.2 to 2: the median is about 1
    federation.bend[site.name] = [&federation, norm](fake::Answer& answer) {
      if (answer.offer.kind == api::TaskKind::kEvaluate) return;
      const api::TaskPrivacy& privacy = federation.tasks.back().privacy;
      CHECK(privacy.counts);
      CHECK(privacy.sum_noise > privacy.noise);
      answer.offer.within = norm <= privacy.clip_norm;
    };
  }
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  REQUIRE(federation.View().privacy);
  CHECK(federation.View().privacy->clip_norm > 0.6);
  CHECK(federation.View().privacy->clip_norm < 1.6);
  REQUIRE(federation.View().privacy->within);
  CHECK(*federation.View().privacy->within == Approx(0.5).margin(0.35));
}

TEST_CASE("with central noise each site is drawn by chance, and a round closes with whoever came") {
  api::RunSpec spec = Noisy(60, 1);
  spec.sites.fraction = 0.25;
  Federation federation(spec, Sites(4));
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  std::map<std::size_t, int> sizes;
  std::size_t all = 0;
  for (const api::Round& round : federation.View().rounds) {
    ++sizes[round.participants.size()];
    all += round.participants.size();
  }
  // Of 60 rounds a third has nobody (0.75^4); not the one in each that a fixed number would be.
  CHECK(sizes[0] > 3);
  CHECK(sizes[1] > 3);
  CHECK(sizes[2] > 0);
  CHECK(all > 60 - 40);
  CHECK(all < 60 + 40);
  CHECK(federation.View().privacy->planned_epsilon < federation.View().privacy->site_epsilon / 2);
  // Without noise a fixed number is drawn.
  spec.privacy.kind = api::NoiseKind::kNone;
  Federation plain(spec, Sites(4));
  REQUIRE(plain.Start());
  plain.Play();
  for (const api::Round& round : plain.View().rounds) CHECK(round.participants.size() == 1);
}

TEST_CASE("a root that may not know asks for no measures, and strategies work on noisy updates") {
  for (const auto kind : {api::StrategyKind::kFedAvg, api::StrategyKind::kFedBuff, api::StrategyKind::kMedian}) {
    api::RunSpec spec = Noisy(2, 3);
    spec.privacy.kind = api::NoiseKind::kLocal;
    spec.strategy.kind = kind;
    Federation federation(spec, Sites(3));
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    for (const api::Task& task : federation.tasks) {
      CHECK(task.kind == api::TaskKind::kTrain);
      CHECK(task.privacy.kind == api::NoiseKind::kLocal);
      CHECK(api::Validate(task.privacy));
    }
  }
}

}  // namespace
}  // namespace ote::federate
