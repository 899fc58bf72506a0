#include <catch2/catch.hpp>
#include <limits>

#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Answer;
using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kNan64 = std::numeric_limits<double>::quiet_NaN();

std::vector<Site> ThreeSites() {
  return {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25)};
}

api::Task TaskOf(const Federation& federation, std::size_t at) { return federation.tasks.at(at); }

// The model of a run in which clinic-c did not take part in the first round.
std::string WithoutC() {
  Federation federation(MakeSpec(2, 2), ThreeSites());
  federation.bend["clinic-c"] = [](Answer& answer) {
    if (answer.offer.round == 1) answer.offer.failed = true;
  };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  return federation.View().model.digest;
}

void Replace(Answer& answer, const std::vector<float>& values) {
  answer.update = fake::AsUpdate(values);
  answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  answer.offer.size = static_cast<std::int64_t>(answer.update.size());
}

TEST_CASE("a bad update is refused, counted and shown, and harms nothing") {
  const std::string clean = WithoutC();
  struct Case {
    std::string name;
    std::string code;
    std::function<void(Answer&)> bend;
  };
  std::vector<float> values(15, 0.5F);
  const auto with = [&values](float bad) {
    return [values, bad](Answer& answer) {
      std::vector<float> update = values;
      update[7] = bad;
      Replace(answer, update);
    };
  };
  const std::vector<Case> cases = {
      {"NaN", "OTE-E0309", with(kNan)},
      {"infinity", "OTE-E0309", with(-kInfinity)},
      {"beyond the bound", "OTE-E0310", with(5000.0F)},
      {"too small", "OTE-E0308", [](Answer& a) { Replace(a, std::vector<float>(14, 0.5F)); }},
      {"too large", "OTE-E0308", [](Answer& a) { Replace(a, std::vector<float>(16, 0.5F)); }},
      {"a lying size", "OTE-E0308", [](Answer& a) { a.update.pop_back(); }},
      {"a negative size", "OTE-E0308", [](Answer& a) { a.offer.size = -60; }},
      {"no digest", "OTE-E0314", [](Answer& a) { a.offer.digest = "blake2b:12"; }},
      {"more examples than rows", "OTE-E0310", [](Answer& a) { a.offer.examples = 26; }},
      {"no examples", "OTE-E0310", [](Answer& a) { a.offer.examples = 0; }},
      {"negative examples", "OTE-E0310", [](Answer& a) { a.offer.examples = -1; }},
      {"a loss that is NaN", "OTE-E0309", [](Answer& a) { a.offer.train_loss = kNan64; }},
      {"metrics that are NaN", "OTE-E0309", [](Answer& a) { a.offer.metrics.accuracy = kNan64; }},
      {"an accuracy above 1", "OTE-E0310", [](Answer& a) { a.offer.metrics.accuracy = 1.5; }},
      {"metrics on more rows than there are", "OTE-E0310", [](Answer& a) { a.offer.metrics.rows = 1'000'000; }},
  };
  for (const Case& bad : cases) {
    INFO(bad.name);
    Federation federation(MakeSpec(2, 2), ThreeSites());
    federation.bend["clinic-c"] = [&bad](Answer& answer) {
      if (answer.offer.round == 1) bad.bend(answer);
    };
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    CHECK(federation.View().model.digest == clean);
    REQUIRE(federation.View().refused.size() == 1);
    CHECK(federation.View().refused[0].reason == bad.code);
    CHECK(federation.View().refused[0].count == 1);
    CHECK(federation.View().refused[0].last_cluster == "clinic-c");
    CHECK_FALSE(federation.View().refused[0].last_message.empty());
    CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-c"});
    CHECK(federation.Told("update-refused", "clinic-c"));
    CHECK(federation.artifacts.size() == 1);
  }
}

TEST_CASE("an update that is not what was announced is refused") {
  Federation federation(MakeSpec(2, 2), ThreeSites());
  REQUIRE(federation.Start());
  const Answer answer = fake::Train(TaskOf(federation, 2), 25);
  federation.Offer("clinic-c", answer);
  CHECK_FALSE(federation.refused);
  federation.Handle(FetchFailed{"clinic-c", 1, Error{ErrorId::kUpdateDigest, "it has another digest", {}}});
  federation.Play();
  REQUIRE(federation.View().refused.size() >= 1);
  bool found = false;
  for (const api::Refusal& refusal : federation.View().refused) found = found || refusal.reason == "OTE-E0314";
  CHECK(found);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-c"});
}

TEST_CASE("an answer to a round that is over, or not yet open, is refused") {
  Federation federation(MakeSpec(3, 3), ThreeSites());
  REQUIRE(federation.Start());
  Answer late = fake::Train(TaskOf(federation, 0), 100);
  while (federation.View().rounds.empty()) federation.Step();
  // The one that was folded, again: taken before, so no harm and no refusal.
  federation.Offer("clinic-a", late);
  CHECK_FALSE(federation.refused);
  Replace(late, std::vector<float>(15, 9.0F));
  federation.Offer("clinic-a", late);
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kRoundStale);
  late.offer.round = 3;
  federation.Offer("clinic-a", late);
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kRoundStale);
  late.offer.round = -1;
  federation.Offer("clinic-a", late);
  CHECK(federation.refused->id == ErrorId::kRoundStale);
  REQUIRE(federation.View().refused.size() == 1);
  CHECK(federation.View().refused[0].count == 3);
  federation.Play();
  federation.Offer("clinic-a", late);
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kRoundStale);
}

TEST_CASE("an answer from a member that was not asked is refused") {
  Federation federation(MakeSpec(1, 3), ThreeSites());
  REQUIRE(federation.Start());
  const Answer answer = fake::Train(TaskOf(federation, 0), 100);
  federation.Offer("clinic-q", answer);
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kUpdateUnasked);
  api::UpdateOffer evaluation = answer.offer;
  evaluation.kind = api::TaskKind::kEvaluate;
  federation.Handle(Offered{"clinic-a", evaluation});
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kUpdateUnasked);
  federation.Play();
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().refused[0].count == 2);
}

TEST_CASE("the same answer twice is taken once, another in its place is refused") {
  Federation federation(MakeSpec(2, 3), ThreeSites());
  REQUIRE(federation.Start());
  federation.shuffle = false;
  const Answer answer = fake::Train(TaskOf(federation, 0), 100);
  federation.Offer("clinic-a", answer);
  federation.Offer("clinic-a", answer);
  CHECK_FALSE(federation.refused);
  federation.Deliver("clinic-a", answer);
  federation.Deliver("clinic-a", answer);
  federation.Offer("clinic-a", answer);
  CHECK_FALSE(federation.refused);
  Answer other = answer;
  Replace(other, std::vector<float>(15, 0.25F));
  federation.Offer("clinic-a", other);
  REQUIRE(federation.refused);
  CHECK(federation.refused->id == ErrorId::kUpdateDuplicate);
}

TEST_CASE("a site may correct its answer until it is folded") {
  Federation federation(MakeSpec(1, 3), ThreeSites());
  REQUIRE(federation.Start());
  const Answer first = fake::Train(TaskOf(federation, 0), 100);
  Answer second = first;
  Replace(second, std::vector<float>(15, 0.25F));
  federation.Offer("clinic-a", first);
  federation.Offer("clinic-a", second);
  CHECK_FALSE(federation.refused);
  federation.Deliver("clinic-a", first);
  CHECK_FALSE(federation.Told("update-folded", "clinic-a"));
  federation.Deliver("clinic-a", second);
  CHECK(federation.Told("update-folded", "clinic-a"));
}

TEST_CASE("two sites with the same update are both counted") {
  Federation federation(MakeSpec(1, 3), ThreeSites());
  for (const char* name : {"clinic-a", "clinic-b", "clinic-c"}) {
    federation.bend[name] = [](Answer& answer) {
      if (answer.offer.kind == api::TaskKind::kTrain) Replace(answer, std::vector<float>(15, 0.25F));
    };
  }
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants.size() == 3);
  CHECK(federation.artifacts.size() == 1);
}

TEST_CASE("updates that change nothing keep the model and its file") {
  Federation federation(MakeSpec(2, 3), ThreeSites());
  for (const char* name : {"clinic-a", "clinic-b", "clinic-c"}) {
    federation.bend[name] = [](Answer& answer) {
      if (answer.offer.kind == api::TaskKind::kTrain) Replace(answer, std::vector<float>(15, 0.0F));
    };
  }
  REQUIRE(federation.Start());
  const std::string digest = federation.View().model.digest;
  federation.Play();
  CHECK(federation.View().model.digest == digest);
  CHECK(federation.artifacts.count(digest) == 1);
}

TEST_CASE("at most as many updates are fetched at a time as the limits allow") {
  std::vector<Site> sites;
  for (int i = 0; i < 8; ++i) sites.push_back(MakeSite("site-" + std::to_string(i), 10));
  Federation federation(MakeSpec(1, 8), sites);
  REQUIRE(federation.Start());
  int fetches = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    federation.Handle(Offered{"site-" + std::to_string(i), fake::Train(TaskOf(federation, i), 10).offer});
    for (const Action& action : federation.last.actions) fetches += std::holds_alternative<FetchUpdate>(action) ? 1 : 0;
  }
  CHECK(fetches == 2);
}

TEST_CASE("a transfer that breaks off is tried again, and given up after some times") {
  Federation federation(MakeSpec(1, 2), ThreeSites());
  federation.silent = {"clinic-c"};
  REQUIRE(federation.Start());
  const Answer answer = fake::Train(TaskOf(federation, 2), 25);
  for (int i = 0; i < 5; ++i) {
    federation.Offer("clinic-c", answer);
    CHECK_FALSE(federation.refused);
    federation.Handle(FetchFailed{"clinic-c", 1, Error{ErrorId::kUnreachable, "the line was cut", {}}});
    if (i == 4) break;
    const std::size_t asked = federation.tasks.size();
    federation.Advance(std::chrono::milliseconds(500));
    CHECK(federation.tasks.size() == asked + 1);
  }
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-c"});
  CHECK(federation.Told("fetch-failed", "clinic-c"));
}

TEST_CASE("a task that a busy site turns away is sent again, another error is a failure") {
  Federation federation(MakeSpec(1, 2), ThreeSites());
  federation.silent = {"clinic-b", "clinic-c"};
  REQUIRE(federation.Start());
  federation.Handle(TaskRefused{"clinic-b", 1, Error{ErrorId::kBusy, "busy", {}}});
  federation.silent.clear();
  federation.Advance(std::chrono::milliseconds(500));
  CHECK(federation.tasks.size() == 4);
  federation.Handle(TaskRefused{"clinic-c", 1, Error{ErrorId::kDatasetUnknown, "no such data set", {}}});
  CHECK(federation.Told("site-failed", "clinic-c"));
  federation.Play();
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants == std::vector<std::string>{"clinic-a", "clinic-b"});
}

TEST_CASE("stored updates stay few however many sites there are, and a restart rebuilds the sum from them") {
  std::vector<Site> sites;
  for (int i = 0; i < 1000; ++i) sites.push_back(MakeSite("site-" + std::to_string(1000 + i), 10 + i % 90));
  api::RunSpec spec = MakeSpec(1, 1000);
  Federation plain(spec, sites, 1);
  REQUIRE(plain.Start());
  plain.Play();
  REQUIRE(plain.View().status == api::RunStatus::kFinished);

  Federation federation(spec, sites, 2);
  federation.limits.spool_bytes = 3000;  // fifty updates
  REQUIRE(federation.Start());
  federation.Play(1000);
  federation.Kill();
  REQUIRE(federation.Restart());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().model.digest == plain.View().model.digest);
  // The model, two checkpoints while they change places, the spool, two on their way, and those not yet named in a
  // saved state when the root was killed.
  CHECK(federation.most_artifacts <= 1 + 2 + 51 + 2 + 32);
  CHECK(plain.most_artifacts > 900);
}

}  // namespace
}  // namespace ote::federate
