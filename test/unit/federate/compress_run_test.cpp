// Runs whose updates are compressed, through the whole state machine.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;
using Kind = api::CompressionKind;

std::vector<Site> Sites() { return {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25)}; }

api::RunSpec SpecOf(Kind kind, api::StrategyKind strategy = api::StrategyKind::kFedAvg) {
  api::RunSpec spec = MakeSpec(2, 3);
  spec.strategy.kind = strategy;
  spec.strategy.buffer = 3;
  spec.compression = {kind, 4, 0.2};
  return spec;
}

// The strategies that a kind goes with.
std::vector<api::StrategyKind> StrategiesFor(Kind kind) {
  std::vector<api::StrategyKind> out;
  for (const auto& [strategy, name] : EnumNames<api::StrategyKind>::kNames) {
    if (kind == Kind::kQuantize || !MakeStrategy(SpecOf(kind, strategy).strategy)->NeedsAll()) out.push_back(strategy);
  }
  return out;
}

TEST_CASE("a run with compressed updates ends in the same model whatever their order, with any strategy") {
  for (const Kind kind : {Kind::kQuantize, Kind::kTopK}) {
    for (const api::StrategyKind strategy : StrategiesFor(kind)) {
      INFO(NameOf(kind) << " with " << NameOf(strategy));
      std::string digest;
      for (std::uint64_t order = 1; order < 4; ++order) {
        Federation federation(SpecOf(kind, strategy), Sites(), order);
        REQUIRE(federation.Start());
        federation.Play();
        INFO(federation.View().message);
        REQUIRE(federation.View().status == api::RunStatus::kFinished);
        CHECK(federation.artifacts.size() == 1);
        if (order == 1) digest = federation.View().model.digest;
        CHECK(federation.View().model.digest == digest);
      }
    }
  }
}

TEST_CASE("a run with compressed updates ends in the same model when the root is killed at any action") {
  for (const Kind kind : {Kind::kQuantize, Kind::kTopK}) {
    for (const auto strategy : {api::StrategyKind::kFedAvg, api::StrategyKind::kScaffold, api::StrategyKind::kMedian}) {
      if (kind == Kind::kTopK && strategy == api::StrategyKind::kMedian) continue;
      INFO(NameOf(kind) << " with " << NameOf(strategy));
      Federation undisturbed(SpecOf(kind, strategy), Sites(), 1);
      REQUIRE(undisturbed.Start());
      undisturbed.Play();
      REQUIRE(undisturbed.registered);
      for (int kill = 0; kill < undisturbed.actions; ++kill) {
        Federation federation(SpecOf(kind, strategy), Sites(), static_cast<std::uint64_t>(kill));
        federation.limits.spool_bytes = 50;  // so that sums are checkpointed
        federation.kill_after = kill;
        REQUIRE(federation.Start());
        federation.Play();
        while (!federation.over) {
          REQUIRE_FALSE(federation.Alive());
          REQUIRE(federation.Restart());
          federation.Play();
        }
        CHECK(federation.registered->digest == undisturbed.registered->digest);
      }
    }
  }
}

TEST_CASE("sites are told how to compress, and what is counted is what travels") {
  for (const Kind kind : {Kind::kNone, Kind::kQuantize, Kind::kTopK}) {
    const api::RunSpec spec = SpecOf(kind);
    Federation federation(spec, Sites());
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    for (const api::Task& task : federation.tasks) {
      const bool compresses = kind != Kind::kNone && task.kind == api::TaskKind::kTrain;
      CHECK(task.compression.has_value() == compresses);
      if (compresses) CHECK(*task.compression == spec.compression);
    }
    const auto size = static_cast<std::int64_t>(SizeOf({spec.compression, 15, 1}));
    for (const api::Round& round : federation.View().rounds) {
      CHECK(round.bytes_up == 3 * size);
      for (const api::RoundSite& site : round.sites) CHECK(site.bytes_up == size);
    }
  }
}

TEST_CASE("an update that is not compressed as the run asks for is refused") {
  Federation federation(SpecOf(Kind::kQuantize), Sites());
  federation.bend["clinic-b"] = [](fake::Answer& answer) {
    if (answer.update.empty()) return;
    answer.update.assign(60, 0);  // as it would be without
    answer.offer.size = 60;
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
  REQUIRE(federation.Start());
  federation.Play();
  CHECK(federation.Told("update-refused", "clinic-b"));
  CHECK(federation.View().status == api::RunStatus::kFailed);

  Federation other(SpecOf(Kind::kTopK), Sites());
  other.bend["clinic-b"] = [](fake::Answer& answer) {
    if (answer.update.empty()) return;
    answer.update.back() |= 0x80;  // a bit beyond the last place
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
  REQUIRE(other.Start());
  other.Play();
  CHECK(other.Told("update-refused", "clinic-b"));
}

TEST_CASE("relays fold compressed updates to the bit") {
  for (const Kind kind : {Kind::kQuantize, Kind::kTopK}) {
    api::RunSpec spec = SpecOf(kind, api::StrategyKind::kScaffold);
    const auto model_of = [&](api::RelayKind relays, int* sums) {
      spec.relays = relays;
      auto sites = Sites();
      for (Site& site : sites) site.via = "north";
      Federation federation(spec, sites);
      REQUIRE(federation.Start());
      federation.Play();
      REQUIRE(federation.View().status == api::RunStatus::kFinished);
      *sums = federation.sums_asked;
      return federation.View().model.digest;
    };
    int carried = 0;
    int folded = 0;
    CHECK(model_of(api::RelayKind::kFold, &folded) == model_of(api::RelayKind::kCarry, &carried));
    CHECK(carried == 0);
    CHECK(folded == 2);
  }
}

TEST_CASE("an update is clipped to the norm as it is read, not as it is sent") {
  api::RunSpec spec = SpecOf(Kind::kQuantize);
  spec.rounds = 1;
  spec.strategy.clip_norm = 0.5;
  Federation federation(spec, {MakeSite("clinic-a", 10), MakeSite("clinic-b", 10), MakeSite("clinic-c", 10)});
  federation.keep_all = true;
  REQUIRE(federation.Start());
  const std::string first = federation.View().model.digest;
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  const auto before = ReadModelFile(federation.artifacts.at(first));
  const auto after = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
  REQUIRE(before);
  REQUIRE(after);
  std::vector<double> mean(15);
  for (const api::RoundSite& site : federation.View().rounds[0].sites) {
    const auto reader = UpdateReader::Open(federation.artifacts.at(site.digest), {spec.compression, 15, 1});
    REQUIRE(reader);
    const auto values = reader->Values();
    double square = 0;
    for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
    const double factor = std::min(1.0, 0.5 / std::sqrt(square));
    for (std::size_t i = 0; i < 15; ++i) mean[i] += factor * static_cast<double>(values[i]) / 3;
  }
  for (std::size_t i = 0; i < 15; ++i) {
    CHECK(static_cast<double>(after->values[i]) ==
          Approx(static_cast<double>(before->values[i]) + mean[i]).margin(1e-6));
  }
}

TEST_CASE("with central noise no quantized update is longer in the sum than the norm, however it was rounded") {
  api::RunSpec spec = SpecOf(Kind::kQuantize);
  spec.rounds = 1;
  spec.privacy.kind = api::NoiseKind::kCentral;
  spec.privacy.noise_multiplier = 0.01;
  spec.privacy.clip_norm = 0.25;
  Federation federation(spec, Sites());
  federation.keep_all = true;
  // All send the same, of a norm that is far above it, so that their mean is as long as each of them.
  const std::vector<float> all(15, 0.5F);
  const auto bend = [&](fake::Answer& answer) {
    if (answer.update.empty()) return;
    std::vector<float> values = all;
    UpdateWriter writer({spec.compression, 15, 1}, 1);
    writer.Add(values);
    answer.update = std::move(writer).Take();
    answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  };
  for (const char* site : {"clinic-a", "clinic-b", "clinic-c"}) federation.bend[site] = bend;
  REQUIRE(federation.Start());
  const std::string first = federation.View().model.digest;
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  const auto before = ReadModelFile(federation.artifacts.at(first));
  const auto after = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
  double square = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const double change = static_cast<double>(after->values[i]) - static_cast<double>(before->values[i]);
    square += change * change;
  }
  // Noise of deviation 0.0025 / 3 in each value beside it.
  CHECK(std::sqrt(square) == Approx(0.25).margin(0.01));
}

TEST_CASE("a recorded round of compressed updates is made again from them") {
  for (const auto& [kind, strategy] :
       std::vector<std::pair<Kind, api::StrategyKind>>{{Kind::kQuantize, api::StrategyKind::kTrimmedMean},
                                                       {Kind::kQuantize, api::StrategyKind::kScaffold},
                                                       {Kind::kTopK, api::StrategyKind::kFedAdam}}) {
    INFO(NameOf(kind) << " with " << NameOf(strategy));
    api::RunSpec spec = SpecOf(kind, strategy);
    Federation federation(spec, Sites());
    federation.keep_all = true;
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    int replayed = 0;
    for (const api::RecordEntry& entry : federation.entries) {
      if (!entry.round) continue;
      const auto again = RunMachine::Replay(federation.View().spec, *entry.round, federation.Store());
      INFO((again ? "" : again.error().message));
      REQUIRE(again);
      CHECK(again->model == entry.round->model);
      ++replayed;
    }
    CHECK(replayed == 2);
  }
}

}  // namespace
}  // namespace ote::federate
