#include "core/federate/run_machine.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/federate/model_file.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;
using std::chrono::seconds;

std::vector<Site> ThreeSites() {
  return {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25)};
}

std::string Undisturbed(const api::RunSpec& spec, const std::vector<Site>& sites) {
  Federation federation(spec, sites);
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  return federation.View().model.digest;
}

TEST_CASE("a run goes through its rounds and registers a model that was measured") {
  Federation federation(MakeSpec(3, 3), ThreeSites());
  REQUIRE(federation.Start());
  CHECK(federation.View().status == api::RunStatus::kRunning);
  federation.Play();
  REQUIRE(federation.over);
  const api::Run& run = federation.View();
  CHECK(run.status == api::RunStatus::kFinished);
  REQUIRE(run.rounds.size() == 3);
  for (const api::Round& round : run.rounds) {
    CHECK(round.participants == std::vector<std::string>{"clinic-a", "clinic-b", "clinic-c"});
    CHECK(round.left_out.empty());
    REQUIRE(round.sites.size() == 3);
    CHECK(round.sites[1].examples == 50);
    CHECK(round.sites[1].train_loss == 0.25);
    CHECK(round.bytes_up == 3 * 60);
    CHECK(round.bytes_down == 3 * run.model.size);
    CHECK(round.metrics.rows == 26 + 13 + 7);
    CHECK(round.metrics.accuracy.has_value());
  }
  CHECK(run.rounds[2].model_digest == run.model.digest);
  CHECK(run.model.parameters == 15);
  CHECK(run.metrics.loss == run.rounds[2].metrics.loss);
  REQUIRE(federation.registered);
  CHECK(federation.registered->name == "run-1");
  CHECK(federation.registered->digest == run.model.digest);
  CHECK(federation.registered->metrics.loss == run.metrics.loss);
  CHECK(run.refused.empty());

  // Only the finished model is left, and it is the mean of what was sent.
  REQUIRE(federation.artifacts.size() == 1);
  const auto model = ReadModelFile(federation.artifacts.at(run.model.digest));
  REQUIRE(model);
  CHECK(model->classes == std::vector<std::string>{"a", "b", "c"});
  CHECK(model->values.size() == 15);
}

TEST_CASE("the next model is the weighted mean of the updates, rounded once") {
  Federation federation(MakeSpec(1, 2), {MakeSite("a", 30), MakeSite("b", 10)});
  const std::vector<float> up(15, 1.0F);
  const std::vector<float> down(15, -0.5F);
  const auto give = [](const std::vector<float>& values) {
    return [values](fake::Answer& answer) {
      if (answer.offer.kind == api::TaskKind::kEvaluate) return;
      answer.update = fake::AsUpdate(values);
      answer.offer.digest = crypto::DigestOf(answer.update).ToString();
    };
  };
  federation.bend["a"] = give(up);
  federation.bend["b"] = give(down);
  REQUIRE(federation.Start());
  const auto before = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
  federation.Play();
  const auto after = ReadModelFile(federation.artifacts.at(federation.View().model.digest));
  REQUIRE(before);
  REQUIRE(after);
  for (std::size_t i = 0; i < 15; ++i) {
    CHECK(after->values[i] == static_cast<float>(static_cast<double>(before->values[i]) + 0.625));
  }
}

TEST_CASE("the model does not depend on the order in which answers arrive") {
  std::vector<Site> sites;
  for (int i = 0; i < 10; ++i) sites.push_back(MakeSite("site-" + std::to_string(i), 10 + 37 * i));
  std::string digest;
  for (std::uint64_t order = 0; order < 50; ++order) {
    Federation federation(MakeSpec(3, 10), sites, order);
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    if (order == 0) digest = federation.View().model.digest;
    REQUIRE(federation.View().model.digest == digest);
  }
}

TEST_CASE("a root killed after any action carries on to the same model") {
  const api::RunSpec spec = MakeSpec(3, 3);
  const std::string digest = Undisturbed(spec, ThreeSites());
  Federation counted(spec, ThreeSites());
  REQUIRE(counted.Start());
  counted.Play();
  REQUIRE(counted.actions > 50);
  for (int at = 0; at <= counted.actions; ++at) {
    INFO("killed after action " << at);
    Federation federation(spec, ThreeSites(), static_cast<std::uint64_t>(at));
    federation.kill_after = at;
    REQUIRE(federation.Start());
    federation.Play();
    if (!federation.Alive()) {
      REQUIRE(federation.Restart());
      federation.Play();
    }
    REQUIRE(federation.over);
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    REQUIRE(federation.View().model.digest == digest);
    CHECK(federation.View().rounds.size() == 3);
    REQUIRE(federation.registered);
    CHECK(federation.registered->digest == digest);
    CHECK(federation.artifacts.count(digest) == 1);
  }
}

TEST_CASE("a root that is killed again and again gets there too") {
  const api::RunSpec spec = MakeSpec(3, 3);
  const std::string digest = Undisturbed(spec, ThreeSites());
  for (int every = 4; every < 12; ++every) {
    Federation federation(spec, ThreeSites(), static_cast<std::uint64_t>(every));
    federation.limits.spool_bytes = 60;
    int starts = 0;
    while (!federation.over && starts < 500) {
      // Each life is a little longer, or the first step would be taken for ever.
      federation.kill_after = every + starts;
      REQUIRE(federation.Restart());
      federation.Play();
      ++starts;
    }
    INFO("every " << every << ", starts " << starts);
    REQUIRE(federation.over);
    CHECK(federation.registered->digest == digest);
  }
}

TEST_CASE("a site killed at any step is asked again and the model is the same") {
  const api::RunSpec spec = MakeSpec(3, 3);
  const std::string digest = Undisturbed(spec, ThreeSites());
  for (int at = 0; at < 40; ++at) {
    Federation federation(spec, ThreeSites(), static_cast<std::uint64_t>(at));
    REQUIRE(federation.Start());
    federation.Play(at);
    if (federation.over) break;
    federation.SetReachable("clinic-b", false);
    federation.Play();
    if (!federation.over) {
      const bool measuring = federation.View().rounds.size() == 3;
      CHECK(federation.View().status == (measuring ? api::RunStatus::kRunning : api::RunStatus::kPaused));
      CHECK_THAT(federation.View().message, Catch::Contains(measuring ? "2 of 3" : "waiting for clinic-b"));
      federation.SetReachable("clinic-b", true);
      federation.Play();
    }
    INFO("killed at step " << at);
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    CHECK(federation.View().model.digest == digest);
  }
}

TEST_CASE("root and site killed together at any step give the same model") {
  const api::RunSpec spec = MakeSpec(2, 3);
  const std::string digest = Undisturbed(spec, ThreeSites());
  for (int at = 0; at < 70; ++at) {
    INFO("killed after action " << at);
    Federation federation(spec, ThreeSites(), static_cast<std::uint64_t>(at));
    federation.kill_after = at;
    REQUIRE(federation.Start());
    federation.Play();
    if (federation.Alive()) break;
    for (const char* name : {"clinic-a", "clinic-b", "clinic-c"}) federation.SetReachable(name, false);
    REQUIRE(federation.Restart());
    federation.Play();
    for (const char* name : {"clinic-c", "clinic-b", "clinic-a"}) {
      federation.SetReachable(name, true);
      federation.Play();
    }
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    REQUIRE(federation.View().model.digest == digest);
  }
}

TEST_CASE("a site away past the deadline is left out, said so, and back in the next round") {
  Federation federation(MakeSpec(3, 2), ThreeSites());
  federation.silent = {"clinic-c"};
  REQUIRE(federation.Start());
  federation.Play();
  CHECK(federation.View().rounds.empty());
  REQUIRE(federation.wake == seconds(60));
  federation.Advance(seconds(59));
  CHECK(federation.View().rounds.empty());
  federation.silent.clear();
  federation.Advance(seconds(1));
  REQUIRE(federation.View().rounds.size() == 1);
  const api::Round round = federation.View().rounds[0];
  CHECK(round.participants == std::vector<std::string>{"clinic-a", "clinic-b"});
  CHECK(round.left_out == std::vector<std::string>{"clinic-c"});
  CHECK(round.seconds == 60.0);
  CHECK(federation.Told("site-left-out", "clinic-c"));
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[1].participants.size() == 3);
  CHECK(federation.View().rounds[1].left_out.empty());
}

TEST_CASE("a round waits for a site by hand until its own deadline, and for the others until theirs") {
  auto spec = MakeSpec(3, 1);
  spec.sites.hand_deadline = "2h";
  auto sites = ThreeSites();
  sites[2].by_hand = true;
  Federation federation(spec, sites);
  federation.silent = {"clinic-b", "clinic-c"};
  REQUIRE(federation.Start());
  federation.Play();
  federation.Advance(seconds(3600));
  CHECK(federation.View().rounds.empty());
  // What was carried comes, and the one on the wire is over its time.
  federation.Offer("clinic-c", fake::Train(federation.tasks.back(), federation.Rows("clinic-c")));
  federation.Play();
  REQUIRE(federation.View().rounds.size() == 1);
  CHECK(federation.View().rounds[0].participants == std::vector<std::string>{"clinic-a", "clinic-c"});
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-b"});
  // Two hours, also when the root was killed meanwhile, and then without it.
  federation.Kill();
  REQUIRE(federation.Restart());
  federation.Play();
  federation.Advance(seconds(7199));
  CHECK(federation.View().rounds.size() == 1);
  federation.Advance(seconds(1));
  REQUIRE(federation.View().rounds.size() == 2);
  CHECK(federation.View().rounds[1].participants == std::vector<std::string>{"clinic-a"});
  // It has missed a round: the next one does not wait for it as long.
  federation.Play();
  federation.Advance(seconds(60));
  CHECK(federation.View().rounds.size() == 3);
}

TEST_CASE("a site that was left out and stays away costs no second deadline, and is taken in when it comes back") {
  Federation federation(MakeSpec(4, 2), ThreeSites());
  REQUIRE(federation.Start());
  federation.SetReachable("clinic-c", false);
  federation.Play();
  CHECK(federation.View().rounds.empty());
  federation.Advance(seconds(60));
  REQUIRE(federation.View().rounds.size() == 1);
  federation.Play(5);
  federation.SetReachable("clinic-c", true);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-c"});
  CHECK(federation.View().rounds[3].participants.size() == 3);
  CHECK(federation.clock.SteadyNow() == seconds(60));
}

TEST_CASE("below the minimum a run waits, names who is missing, and goes on by itself") {
  std::vector<Site> sites = ThreeSites();
  sites[2].reachable = false;
  Federation federation(MakeSpec(2, 3), sites);
  REQUIRE(federation.Start());
  CHECK(federation.View().status == api::RunStatus::kPaused);
  CHECK(federation.View().message == "needs 3 clusters, 2 are reachable; waiting for clinic-c");
  CHECK(federation.tasks.empty());
  CHECK(federation.Told("run-paused"));
  federation.SetReachable("clinic-c", true);
  CHECK(federation.View().status == api::RunStatus::kRunning);
  CHECK(federation.Told("run-resumed"));
  CHECK(federation.tasks.size() == 3);

  // Past the deadline it waits too, for those that have not answered.
  federation.silent = {"clinic-b"};
  Federation late(MakeSpec(1, 3), ThreeSites());
  late.silent = {"clinic-b"};
  REQUIRE(late.Start());
  late.Play();
  late.Advance(seconds(61));
  CHECK(late.View().status == api::RunStatus::kPaused);
  CHECK(late.View().message == "round 1: needs 3 clusters, 2 have answered; waiting for clinic-b");
  late.silent.clear();
  late.SetReachable("clinic-b", false);
  late.SetReachable("clinic-b", true);
  late.Play();
  CHECK(late.View().status == api::RunStatus::kFinished);
  CHECK(late.View().rounds[0].participants.size() == 3);
}

TEST_CASE("a run that has too few clusters says how many there are") {
  Federation federation(MakeSpec(1, 5), ThreeSites());
  REQUIRE(federation.Start());
  CHECK(federation.View().status == api::RunStatus::kPaused);
  CHECK(federation.View().message == "needs 5 clusters, 3 are reachable; no other cluster has the data set digits");
  federation.Change(MakeSite("clinic-d", 10));
  federation.Change(MakeSite("clinic-e", 10));
  federation.Play();
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants.size() == 5);
}

TEST_CASE("a failure that leaves too few ends the run, naming cluster, phase and cause") {
  Federation federation(MakeSpec(2, 3), ThreeSites());
  federation.bend["clinic-b"] = [](fake::Answer& answer) {
    answer.offer.failed = true;
    answer.offer.error = "the loss is not finite";
    answer.offer.digest.clear();
    answer.offer.size = 0;
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.over);
  CHECK(federation.View().status == api::RunStatus::kFailed);
  CHECK(federation.View().message ==
        "round 1: clinic-b failed in phase train: the loss is not finite; 2 of the 3 clusters needed are left");
  // What it could be taken up from, and nothing else.
  REQUIRE(federation.artifacts.size() == 1);
  CHECK(federation.artifacts.begin()->first == federation.View().model.digest);
  CHECK_FALSE(federation.registered);
}

TEST_CASE("a failure that leaves enough only leaves that site out") {
  Federation federation(MakeSpec(2, 2), ThreeSites());
  federation.bend["clinic-b"] = [](fake::Answer& answer) {
    if (answer.offer.round == 1) answer.offer.failed = true;
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants == std::vector<std::string>{"clinic-a", "clinic-c"});
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-b"});
  CHECK(federation.View().rounds[1].participants.size() == 3);
  CHECK(federation.Told("site-failed", "clinic-b"));
}

TEST_CASE("a cancelled run stops, keeps its model alone and refuses what still comes") {
  Federation federation(MakeSpec(3, 3), ThreeSites());
  REQUIRE(federation.Start());
  federation.Play(7);
  federation.Handle(Cancelled{});
  CHECK(federation.over);
  CHECK(federation.View().status == api::RunStatus::kCancelled);
  CHECK(federation.closed >= 3);
  while (federation.Step()) {
  }
  REQUIRE(federation.artifacts.size() == 1);
  CHECK(federation.Machine().Needed() == std::vector<std::string>{federation.artifacts.begin()->first});
}

}  // namespace
}  // namespace ote::federate
