// What a run file can choose beside plain averaging, through the whole state machine.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;

std::vector<Site> FiveSites() {
  return {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25), MakeSite("clinic-d", 70),
          MakeSite("clinic-e", 10)};
}

api::RunSpec SpecOf(api::StrategyKind kind, std::int64_t rounds = 3) {
  api::RunSpec spec = MakeSpec(rounds, 5);
  spec.strategy.kind = kind;
  return spec;
}

std::string DigestOf(const api::RunSpec& spec, std::uint64_t order) {
  Federation federation(spec, FiveSites(), order);
  const auto started = federation.Start();
  INFO((started ? "" : started.error().message));
  REQUIRE(started);
  federation.Play();
  INFO(federation.View().message);
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  // The finished model, and nothing of its making.
  CHECK(federation.artifacts.size() == 1);
  return federation.View().model.digest;
}

TEST_CASE("every strategy ends in the same model whatever the order of arrival") {
  for (const auto& [kind, name] : EnumNames<api::StrategyKind>::kNames) {
    INFO(name);
    api::RunSpec spec = SpecOf(kind);
    spec.strategy.buffer = 5;
    const std::string first = DigestOf(spec, 1);
    CHECK(DigestOf(spec, 2) == first);
    CHECK(DigestOf(spec, 3) == first);
  }
}

TEST_CASE("every strategy ends in the same model when the root is killed at any action") {
  const std::vector<Site> sites = {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25)};
  for (const auto& [kind, name] : EnumNames<api::StrategyKind>::kNames) {
    INFO(name);
    api::RunSpec spec = MakeSpec(2, 3);
    spec.strategy.kind = kind;
    spec.strategy.buffer = 3;
    Federation undisturbed(spec, sites, 1);
    REQUIRE(undisturbed.Start());
    undisturbed.Play();
    REQUIRE(undisturbed.registered);
    for (int kill = 0; kill < undisturbed.actions; ++kill) {
      Federation federation(spec, sites, static_cast<std::uint64_t>(kill));
      federation.kill_after = kill;
      REQUIRE(federation.Start());
      federation.Play();
      while (!federation.over) {
        REQUIRE_FALSE(federation.Alive());
        REQUIRE(federation.Restart());
        federation.Play();
      }
      REQUIRE(federation.saved);
      CHECK(federation.registered->digest == undisturbed.registered->digest);
    }
  }
}

TEST_CASE("a strategy's settings reach the sites with the task") {
  const auto task_of = [](api::RunSpec spec) {
    Federation federation(spec, FiveSites());
    REQUIRE(federation.Start());
    return federation.tasks.front();
  };
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedProx);
  spec.strategy.proximal = 0.25;
  CHECK(task_of(spec).local.proximal == 0.25);
  CHECK(task_of(SpecOf(api::StrategyKind::kFedNova)).local.normalize);
  CHECK(task_of(SpecOf(api::StrategyKind::kScaffold)).local.control);
  spec = SpecOf(api::StrategyKind::kFedAvg);
  spec.personalization.kind = api::PersonalKind::kDitto;
  spec.personalization.lambda = 0.5;
  CHECK(task_of(spec).local.personal == spec.personalization);
}

TEST_CASE("scaffold gives the sites its control variate from the second round on") {
  Federation federation(SpecOf(api::StrategyKind::kScaffold), FiveSites());
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.over);
  for (const api::Task& task : federation.tasks) {
    if (task.kind != api::TaskKind::kTrain) continue;
    CHECK(task.local.control_digest.empty() == (task.round == 1));
    CHECK(task.local.control_size == (task.round == 1 ? 0 : 60));
  }
  CHECK(federation.View().rounds[0].bytes_up == 5 * 120);
}

TEST_CASE("an update that is clipped moves the model by no more than the norm") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 1);
  spec.sites.minimum = 1;
  spec.strategy.clip_norm = 0.5;
  Federation federation(spec, {MakeSite("clinic-a", 10)});
  REQUIRE(federation.Start());
  const Bytes before = federation.artifacts.begin()->second;
  federation.Play();
  REQUIRE(federation.over);
  const auto start = ReadModelFile(before);
  const auto end = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
  REQUIRE(start);
  REQUIRE(end);
  double square = 0;
  for (std::size_t i = 0; i < end->values.size(); ++i) {
    const double moved = static_cast<double>(end->values[i]) - static_cast<double>(start->values[i]);
    square += moved * moved;
  }
  CHECK(std::sqrt(square) == Approx(0.5).epsilon(1e-5));
}

TEST_CASE("one site that lies cannot move the median, and is shown to move the mean") {
  const auto moved_by = [](api::StrategyKind kind) {
    api::RunSpec spec = SpecOf(kind, 1);
    Federation federation(spec, FiveSites());
    federation.bend["clinic-a"] = [](fake::Answer& answer) {
      if (answer.update.empty()) return;
      answer.update = fake::AsUpdate(std::vector<float>(15, 900.0F));
      answer.offer.digest = crypto::DigestOf(answer.update).ToString();
    };
    REQUIRE(federation.Start());
    federation.Play();
    const auto end = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
    REQUIRE(end);
    return static_cast<double>(*std::max_element(end->values.begin(), end->values.end()));
  };
  CHECK(moved_by(api::StrategyKind::kFedAvg) > 100);
  CHECK(moved_by(api::StrategyKind::kMedian) < 3);
  CHECK(moved_by(api::StrategyKind::kKrum) < 3);
  CHECK(moved_by(api::StrategyKind::kMultiKrum) < 3);
}

TEST_CASE("a full buffer makes a model without the slow site, whose update counts in a later round, and for less") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedBuff, 3);
  spec.sites.minimum = 2;
  spec.strategy.buffer = 4;
  Federation federation(spec, FiveSites());
  federation.silent = {"clinic-c"};
  REQUIRE(federation.Start());
  api::Task slow;
  for (const api::Task& task : federation.tasks) {
    if (task.seed == federation.tasks[2].seed) slow = task;
  }
  while (federation.View().rounds.size() < 2) REQUIRE(federation.Step());
  for (const api::Round& round : federation.View().rounds) {
    CHECK(round.participants.size() == 4);
    CHECK(round.left_out.empty());
  }
  // It was not asked again meanwhile, and now it comes: two models late.
  const auto answer = fake::Train(slow, 25);
  federation.Offer("clinic-c", answer);
  CHECK_FALSE(federation.refused);
  federation.silent.clear();
  federation.Play();
  REQUIRE(federation.over);
  CHECK(federation.View().status == api::RunStatus::kFinished);
  const auto& sites = federation.View().rounds[2].sites;
  const auto late = std::find_if(sites.begin(), sites.end(), [](const auto& s) { return s.name == "clinic-c"; });
  REQUIRE(late != sites.end());
  CHECK(late->staleness == 2);
  CHECK(federation.View().rounds[2].sites[0].staleness == 0);
}

TEST_CASE("an update that is too stale is refused, and its site asked anew") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedBuff, 3);
  spec.sites.minimum = 2;
  spec.strategy.buffer = 4;
  spec.strategy.max_staleness = 1;
  Federation federation(spec, FiveSites());
  federation.silent = {"clinic-c"};
  REQUIRE(federation.Start());
  const api::Task slow = federation.tasks[2];
  while (federation.View().rounds.size() < 2) REQUIRE(federation.Step());
  federation.Offer("clinic-c", fake::Train(slow, 25));
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kRoundStale);
  const auto asked = std::count_if(federation.tasks.begin(), federation.tasks.end(), [](const api::Task& task) {
    return task.round == 3 && task.kind == api::TaskKind::kTrain;
  });
  CHECK(asked == 5);
}

TEST_CASE("a run stops when its metric reaches the target, and keeps the model that was measured") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 10);
  spec.stop.metric = api::Measure::kAccuracy;
  spec.stop.target = 0.9;
  Federation federation(spec, FiveSites());
  for (const Site& site : FiveSites()) {
    federation.bend[site.name] = [](fake::Answer& answer) {
      answer.offer.metrics.accuracy = 0.2 * static_cast<double>(answer.offer.round - 1);  // of the round before
    };
  }
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.over);
  const api::Run& run = federation.View();
  CHECK(run.status == api::RunStatus::kFinished);
  CHECK(run.rounds.size() == 5);
  CHECK(*run.metrics.accuracy == Approx(1.0));
  CHECK(run.stopped == "accuracy 1 has reached the target 0.9");
  CHECK(run.model.digest == run.rounds[4].model_digest);
  CHECK(federation.registered->digest == run.model.digest);
  CHECK(federation.artifacts.size() == 1);
}

// Loss by round: 5, 3, 2, 4, 6, 7 …
void BendLoss(Federation& federation) {
  for (const Site& site : FiveSites()) {
    federation.bend[site.name] = [](fake::Answer& answer) {
      const double losses[] = {9, 5, 3, 2, 4, 6, 7, 8, 9, 10, 11};
      answer.offer.metrics.loss = losses[std::min<std::int64_t>(answer.offer.round - 1, 10)];
    };
  }
}

TEST_CASE("a run without improvement stops after its patience, and ends with its best model when asked to") {
  for (const auto select : {api::Selection::kLast, api::Selection::kBest}) {
    api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 10);
    spec.stop.patience = 2;
    spec.stop.select = select;
    Federation federation(spec, FiveSites());
    BendLoss(federation);
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.over);
    const api::Run& run = federation.View();
    CHECK(run.rounds.size() == 5);
    CHECK(run.best_round == 3);
    CHECK(run.stopped == "no better loss than that of round 3 in 2 rounds");
    const bool best = select == api::Selection::kBest;
    CHECK(run.model.digest == run.rounds[best ? 2 : 4].model_digest);
    CHECK(*run.metrics.loss == (best ? 2 : 6));
    CHECK(federation.artifacts.count(run.model.digest) == 1);
    CHECK(federation.artifacts.size() == 1);
  }
}

TEST_CASE("checkpoints keep to their number and to their space") {
  const auto kept = [](std::int64_t keep, const std::string& space) {
    api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 8);
    spec.checkpoints.keep = keep;
    spec.checkpoints.space = space;
    Federation federation(spec, FiveSites());
    REQUIRE(federation.Start());
    while (federation.View().rounds.size() < 6) REQUIRE(federation.Step());
    std::vector<std::int64_t> rounds;
    for (const api::Checkpoint& checkpoint : federation.View().checkpoints) {
      CHECK(federation.artifacts.count(checkpoint.digest) == 1);
      rounds.push_back(checkpoint.round);
    }
    return rounds;
  };
  CHECK(kept(3, "1GiB") == std::vector<std::int64_t>{4, 5, 6});
  CHECK(kept(0, "1GiB").empty());
  CHECK(kept(100, "1kB").size() == 1);
}

TEST_CASE("the learning rate follows its schedule") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 4);
  spec.training.learning_rate = 0.8;
  spec.training.schedule.kind = api::ScheduleKind::kStep;
  spec.training.schedule.every = 2;
  spec.training.schedule.decay = 0.5;
  Federation federation(spec, FiveSites());
  REQUIRE(federation.Start());
  federation.Play();
  std::vector<double> rates;
  for (const api::Round& round : federation.View().rounds) rates.push_back(round.learning_rate);
  CHECK(rates == std::vector<double>{0.8, 0.8, 0.4, 0.4});
  for (const api::Task& task : federation.tasks) {
    if (task.round == 3) CHECK(task.training.learning_rate == 0.4);
  }
}

TEST_CASE("a cancelled run that is taken up again ends as if it had not been cancelled") {
  for (const auto kind : {api::StrategyKind::kFedAvg, api::StrategyKind::kFedAdam, api::StrategyKind::kScaffold}) {
    const api::RunSpec spec = SpecOf(kind, 4);
    const std::string undisturbed = DigestOf(spec, 1);
    Federation federation(spec, FiveSites());
    REQUIRE(federation.Start());
    while (federation.View().rounds.size() < 2) REQUIRE(federation.Step());
    federation.Handle(Cancelled{});
    REQUIRE(federation.View().status == api::RunStatus::kCancelled);
    federation.Kill();
    REQUIRE(federation.Restart(Resume::kYes));
    CHECK(federation.View().resumed == 1);
    CHECK(federation.View().rounds.size() == 2);
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    CHECK(federation.View().model.digest == undisturbed);
  }
}

TEST_CASE("a finished run is not taken up again") {
  Federation federation(SpecOf(api::StrategyKind::kFedAvg, 1), FiveSites());
  REQUIRE(federation.Start());
  federation.Play();
  federation.Kill();
  const auto resumed = federation.Restart(Resume::kYes);
  REQUIRE_FALSE(resumed);
  CHECK(resumed.error().id == ErrorId::kConflict);
}

TEST_CASE("a run that prepares its data asks for statistics first, and tells all sites the same preparation") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 2);
  spec.prepare.standardize = true;
  Federation federation(spec, FiveSites());
  REQUIRE(federation.Start());
  CHECK(federation.tasks.front().kind == api::TaskKind::kSurvey);
  CHECK(federation.tasks.front().round == 0);
  federation.Play();
  const api::Run& run = federation.View();
  INFO(run.message);
  REQUIRE(run.status == api::RunStatus::kFinished);
  REQUIRE(run.preparation.columns.size() == 4);
  CHECK(run.preparation.columns[0].shift == Approx(2).margin(0.02));
  CHECK(run.preparation.columns[0].scale == Approx(0.5).margin(0.001));
  CHECK(run.rounds.size() == 2);
  for (const api::Task& task : federation.tasks) {
    // A site refuses settings that cannot be, for whatever it is asked.
    CHECK(api::Validate(task.training));
    if (task.kind == api::TaskKind::kTrain) CHECK(task.preparation == run.preparation);
  }
  const auto model = ReadModelFile(federation.artifacts.at(run.model.digest));
  REQUIRE(model);
  CHECK(model->preparation == run.preparation);
}

TEST_CASE("every round of a schedule has a learning rate that sites take") {
  for (const auto kind : {api::ScheduleKind::kConstant, api::ScheduleKind::kStep, api::ScheduleKind::kExponential,
                          api::ScheduleKind::kCosine}) {
    api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 4);
    spec.prepare.standardize = true;
    spec.training.schedule = {.kind = kind, .warmup = 1, .decay = 1e-9, .every = 1};
    Federation federation(spec, FiveSites());
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    for (const api::Task& task : federation.tasks) CHECK(api::Validate(task.training));
    CHECK(federation.View().rounds[0].learning_rate == Approx(spec.training.learning_rate / 2));
    CHECK(federation.View().rounds[1].learning_rate == Approx(spec.training.learning_rate));
  }
}

TEST_CASE("a root that is killed during a survey asks again") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 2);
  spec.prepare.standardize = true;
  const std::string undisturbed = DigestOf(spec, 1);
  for (int kill = 0; kill < 30; ++kill) {
    Federation federation(spec, FiveSites(), static_cast<std::uint64_t>(kill));
    federation.kill_after = kill;
    REQUIRE(federation.Start());
    federation.Play();
    while (!federation.over) {
      REQUIRE(federation.Restart());
      federation.Play();
    }
    CHECK(federation.registered->digest == undisturbed);
  }
}

TEST_CASE("statistics that cannot be are refused, and the run goes on without them or ends") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 1);
  spec.prepare.standardize = true;
  spec.sites.minimum = 4;
  Federation federation(spec, FiveSites());
  federation.bend["clinic-b"] = [](fake::Answer& answer) {
    if (answer.offer.statistics) answer.offer.statistics->columns[1].variance = -1;
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.over);
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.Told("update-refused", "clinic-b"));
}

TEST_CASE("a run whose state was written before there were surveys goes on") {
  const api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 3);
  const std::string undisturbed = DigestOf(spec, 1);
  Federation federation(spec, FiveSites());
  REQUIRE(federation.Start());
  while (federation.View().rounds.size() < 1) REQUIRE(federation.Step());
  Json old = *ParseCbor(*federation.saved);
  old["format"] = 1;
  for (const char* name : {"rawFeatures", "surveyed", "inFlight", "best", "worse", "strategy", "strategySize"}) {
    old.erase(name);
  }
  old["run"].erase("plannedRounds");
  for (Json& asked : old["open"]["asked"]) {
    asked.erase("base");
    asked.erase("model");
  }
  federation.saved = DumpCbor(old);
  federation.Kill();
  REQUIRE(federation.Restart());
  federation.Play();
  REQUIRE(federation.over);
  CHECK(federation.View().model.digest == undisturbed);
}

TEST_CASE("a run starts from a model that it is given") {
  api::RunSpec spec = SpecOf(api::StrategyKind::kFedAvg, 1);
  Federation first(spec, FiveSites());
  REQUIRE(first.Start());
  first.Play();
  const Bytes model = first.artifacts.at(first.View().model.digest);
  spec.from = first.View().model.digest;
  Federation second(spec, FiveSites());
  second.from = *ReadModelFile(model);
  REQUIRE(second.Start());
  CHECK(second.View().from_digest == spec.from);
  CHECK(second.tasks.front().model_digest == spec.from);
  second.from->spec.kind = api::ModelKind::kMlp;
  const auto other = second.Start();
  REQUIRE_FALSE(other);
  CHECK(other.error().id == ErrorId::kModelDataMismatch);
}

}  // namespace
}  // namespace ote::federate
