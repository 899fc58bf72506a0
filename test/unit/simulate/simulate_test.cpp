#include "core/simulate/simulate.h"

#include <catch2/catch.hpp>

#include "core/federate/model_file.h"
#include "core/learn/random.h"
#include "crypto/digest.h"

namespace ote::simulate {
namespace {

// Three clouds of points in the plane, one a class; a site sees mostly one of them.
learn::Table Clouds(std::int64_t rows, std::uint64_t seed, int mostly) {
  learn::Random random(seed);
  learn::Table table;
  table.rows = rows;
  table.columns = 2;
  table.feature_names = {"x", "y"};
  table.class_names = {"0", "1", "2"};
  constexpr double kCentres[3][2] = {{0, 2}, {2, -1}, {-2, -1}};
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto label = random.Uniform() < 0.7 ? static_cast<std::uint64_t>(mostly) : random.Below(3);
    for (const double centre : kCentres[label]) {
      table.features.push_back(static_cast<float>(centre + 0.6 * random.Normal()));
    }
    table.targets.push_back(static_cast<float>(label));
  }
  return table;
}

std::vector<SimulatedSite> MakeSites(int count, std::int64_t rows) {
  std::vector<SimulatedSite> sites;
  for (int i = 0; i < count; ++i) {
    const auto seed = static_cast<std::uint64_t>(i) * 2 + 1;
    sites.push_back({"site-" + std::to_string(i), Clouds(rows, seed, i % 3), Clouds(rows / 4, seed + 1, i % 3)});
  }
  return sites;
}

api::RunSpec MakeSpec(std::int64_t rounds) {
  api::RunSpec spec;
  spec.dataset = "clouds";
  spec.model.kind = api::ModelKind::kMlp;
  spec.model.hidden = {8};
  spec.rounds = rounds;
  spec.seed = 3;
  return spec;
}

TEST_CASE("a simulated federation learns, through the real codec") {
  int rounds_told = 0;
  bool started_told = false;
  SimulateOptions options;
  options.on_round = [&rounds_told](const api::Run& run) { rounds_told = static_cast<int>(run.rounds.size()); };
  options.on_event = [&started_told](const api::RunEvent& event) { started_told |= event.kind == "round-started"; };
  const auto out = Simulate(MakeSpec(6), MakeSites(5, 60), options);
  REQUIRE(out);
  CHECK(out->run.status == api::RunStatus::kFinished);
  CHECK(rounds_told == 6);
  CHECK(started_told);
  REQUIRE(out->run.metrics.accuracy);
  CHECK(*out->run.metrics.accuracy > 0.9);
  CHECK(out->run.metrics.rows == 5 * 15);
  // Per round and site: task, two artifacts, offer, each with its answer; in the end no update.
  CHECK(out->messages == 5 * (6 * 8 + 6));
  CHECK(out->bytes > 5 * 6 * 2 * 51 * 4);
  CHECK(crypto::DigestOf(out->model).ToString() == out->run.model.digest);
  const auto model = federate::ReadModelFile(out->model);
  REQUIRE(model);
  CHECK(model->values.size() == 51);
}

TEST_CASE("the order of arrival does not change the simulated model") {
  const auto sites = MakeSites(7, 20);
  std::string digest;
  for (std::uint64_t order = 0; order < 5; ++order) {
    SimulateOptions options;
    options.arrival_seed = order;
    const auto out = Simulate(MakeSpec(2), sites, options);
    REQUIRE(out);
    if (order == 0) digest = out->run.model.digest;
    CHECK(out->run.model.digest == digest);
  }
}

TEST_CASE("a simulated run under secure aggregation learns, whatever its relays would do") {
  auto spec = MakeSpec(3);
  spec.masks.kind = api::MaskKind::kPairwise;
  spec.masks.bound = 8;
  spec.sites.minimum = 3;
  std::string digest;
  for (const auto relays : {api::RelayKind::kCarry, api::RelayKind::kFold}) {
    spec.relays = relays;
    const auto out = Simulate(spec, MakeSites(5, 60), {});
    REQUIRE(out);
    INFO(out->run.message);
    REQUIRE(out->run.status == api::RunStatus::kFinished);
    CHECK(out->run.rounds.back().participants.size() == 5);
    if (digest.empty()) digest = out->run.model.digest;
    CHECK(out->run.model.digest == digest);
  }
}

TEST_CASE("a federation with compressed updates learns, and sends less") {
  const auto sites = MakeSites(5, 60);
  api::RunSpec spec = MakeSpec(6);
  spec.model.hidden = {64};
  const auto plain = Simulate(spec, sites, {});
  REQUIRE(plain);
  const auto sent = [&](api::CompressionSpec compression, api::StrategyKind strategy) {
    INFO(NameOf(compression.kind) << " " << compression.bits << " with " << NameOf(strategy));
    spec.compression = compression;
    spec.strategy.kind = strategy;
    spec.strategy.buffer = 3;
    spec.rounds = compression.kind == api::CompressionKind::kTopK ? 20 : 6;
    const auto out = Simulate(spec, sites, {});
    REQUIRE(out);
    REQUIRE(out->run.status == api::RunStatus::kFinished);
    CHECK(*out->run.metrics.accuracy > *plain->run.metrics.accuracy - 0.05);
    SimulateOptions other;
    other.arrival_seed = 5;
    if (strategy != api::StrategyKind::kFedBuff) {
      CHECK(Simulate(spec, sites, other)->run.model.digest == out->run.model.digest);
    }
    return out->run.rounds[0].sites[0].bytes_up;
  };
  const auto whole = plain->run.rounds[0].sites[0].bytes_up;
  using Strategy = api::StrategyKind;
  CHECK(sent({api::CompressionKind::kQuantize, 8, 0.1}, Strategy::kFedAvg) * 3 < whole);
  CHECK(sent({api::CompressionKind::kQuantize, 4, 0.1}, Strategy::kFedAvg) * 6 < whole);
  CHECK(sent({api::CompressionKind::kTopK, 8, 0.1}, Strategy::kFedAvg) * 6 < whole);
  sent({api::CompressionKind::kTopK, 8, 0.1}, Strategy::kFedBuff);
  sent({api::CompressionKind::kTopK, 8, 0.1}, Strategy::kScaffold);
  sent({api::CompressionKind::kTopK, 8, 0.1}, Strategy::kFedNova);
  sent({api::CompressionKind::kQuantize, 4, 0.1}, Strategy::kScaffold);
  sent({api::CompressionKind::kQuantize, 4, 0.1}, Strategy::kMedian);
}

TEST_CASE("absent sites are left out of their rounds, the same ones in every order") {
  SimulateOptions options;
  options.absent = 0.3;
  api::RunSpec spec = MakeSpec(4);
  spec.sites.minimum = 2;
  const auto sites = MakeSites(12, 20);
  const auto one = Simulate(spec, sites, options);
  options.arrival_seed = 9;
  const auto other = Simulate(spec, sites, options);
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->run.status == api::RunStatus::kFinished);
  CHECK(one->run.model.digest == other->run.model.digest);
  std::size_t left_out = 0;
  for (const api::Round& round : one->run.rounds) left_out += round.left_out.size();
  CHECK(left_out > 4);
  CHECK(left_out < 30);
  spec.sites.minimum = 12;
  const auto stuck = Simulate(spec, sites, options);
  REQUIRE_FALSE(stuck);
  CHECK(stuck.error().id == ErrorId::kTooFewSites);
}

TEST_CASE("sites that lack a class learn the model of all classes") {
  auto sites = MakeSites(3, 40);
  for (auto* table : {&sites[0].train, &sites[0].test}) {
    table->class_names = {"1"};
    std::fill(table->targets.begin(), table->targets.end(), 0.0F);
  }
  const auto out = Simulate(MakeSpec(1), sites, {});
  REQUIRE(out);
  CHECK(out->run.status == api::RunStatus::kFinished);
  CHECK(out->run.classes == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("a simulation that is stopped says so") {
  std::stop_source source;
  source.request_stop();
  const auto out = Simulate(MakeSpec(1), MakeSites(2, 10), {}, source.get_token());
  REQUIRE_FALSE(out);
  CHECK(out.error().id == ErrorId::kInterrupted);
}

TEST_CASE("a thousand sites take part in one process") {
  const auto out = Simulate(MakeSpec(1), MakeSites(1000, 4), {});
  REQUIRE(out);
  CHECK(out->run.rounds[0].participants.size() == 1000);
}

}  // namespace
}  // namespace ote::simulate
