#include "core/site/ledger.h"

#include <catch2/catch.hpp>

#include "core/federate/privacy/accountant.h"

namespace ote::site {
namespace {

using federate::EpsilonOf;
using federate::GaussianCost;

api::Dataset Data(const std::string& name, const std::string& path = "/data/digits.csv",
                  const std::string& digest = "blake2b:one") {
  api::Dataset dataset;
  dataset.name = name;
  dataset.path = path;
  dataset.digest = digest;
  return dataset;
}

api::Task Round(std::int64_t round, double noise = 4, api::NoiseKind kind = api::NoiseKind::kCentral,
                const std::string& run = "run-1") {
  api::Task task;
  task.run = run;
  task.round = round;
  task.dataset = "digits";
  task.model_digest = "model-" + std::to_string(round);
  if (kind != api::NoiseKind::kNone) task.privacy = {kind, noise, 1.0, noise, false, 1};
  return task;
}

api::PrivacyTerms Budget(double epsilon, api::NoiseKind noise = api::NoiseKind::kCentral) {
  api::PrivacyTerms terms;
  terms.epsilon = epsilon;
  terms.noise = noise;
  return terms;
}

struct Site {
  store::Store store = *store::Store::OpenInMemory();
  Ledger ledger{store};

  api::DatasetPrivacy Shown(const api::Dataset& dataset) {
    const auto shown = ledger.Show(dataset);
    REQUIRE(shown);
    REQUIRE(*shown);
    return **shown;
  }
  void Do(const api::Task& task, const api::Dataset& dataset) {
    const auto admitted = ledger.Admit(task, dataset);
    if (!admitted) UNSCOPED_INFO(admitted.error().message);
    REQUIRE(admitted);
    REQUIRE(ledger.Answered(task, dataset));
  }
  ErrorId Refused(const api::Task& task, const api::Dataset& dataset) {
    const auto admitted = ledger.Admit(task, dataset);
    REQUIRE_FALSE(admitted);
    return admitted.error().id;
  }
};

TEST_CASE("a round is charged before its work, once, and refused when the budget would not hold") {
  Site site;
  const api::Dataset data = Data("digits");
  REQUIRE(site.ledger.Set(data, Budget(2)));
  CHECK(site.Shown(data).spent == 0.0);
  CHECK(site.Shown(data).left == 2.0);
  const auto admitted = site.ledger.Admit(Round(1), data);
  REQUIRE(admitted);
  CHECK(admitted->silent);
  const double one = EpsilonOf(GaussianCost(4), 1e-5);
  CHECK(site.Shown(data).spent == Approx(one));
  // Begun again after a crash: by another ledger of the same store, and with another deadline.
  Ledger after(site.store);
  api::Task again = Round(1);
  again.deadline = 12345;
  REQUIRE(after.Admit(again, data));
  CHECK(site.Shown(data).spent == Approx(one));
  CHECK(site.Shown(data).rounds == 1);
  REQUIRE(site.ledger.Answered(Round(1), data));

  std::int64_t round = 1;
  for (;;) {
    const auto next = site.ledger.Admit(Round(round + 1), data);
    if (!next) {
      CHECK(next.error().id == ErrorId::kBudgetSpent);
      CHECK_THAT(next.error().message, Catch::Contains("would bring it to ε 2.") && Catch::Contains("budget of 2"));
      break;
    }
    ++round;
    REQUIRE(round < 20);
  }
  const double spent = *site.Shown(data).spent;
  CHECK(spent <= 2);
  CHECK(spent == Approx(EpsilonOf(GaussianCost(4).Times(static_cast<double>(round)), 1e-5)));
  CHECK(site.Shown(data).left == Approx(2 - spent));
  // What was refused was not charged, and cheaper rounds still fit.
  CHECK(site.Shown(data).rounds == round);
  CHECK(site.ledger.Admit(Round(round + 1, 1000), data));
}

TEST_CASE("a task that is told again after its answer is charged again") {
  Site site;
  const api::Dataset data = Data("digits");
  site.Do(Round(1), data);
  const double once = *site.Shown(data).spent;
  site.Do(Round(1), data);
  CHECK(*site.Shown(data).spent > once);
  CHECK(site.Shown(data).rounds == 2);
  // Less noise than the first time is another task.
  REQUIRE(site.ledger.Admit(Round(2, 8), data));
  REQUIRE(site.ledger.Admit(Round(2, 1), data));
  CHECK(site.Shown(data).rounds == 4);
}

TEST_CASE("a data set with a budget answers nothing that has no noise") {
  Site site;
  const api::Dataset data = Data("digits");
  const api::Task plain = Round(1, 0, api::NoiseKind::kNone);
  api::Task survey = Round(0);
  survey.kind = api::TaskKind::kSurvey;
  api::Task measure = plain;
  measure.kind = api::TaskKind::kEvaluate;
  for (const auto& task : {plain, survey, measure}) {
    const auto admitted = site.ledger.Admit(task, data);
    REQUIRE(admitted);
    CHECK_FALSE(admitted->silent);
  }
  REQUIRE(site.ledger.AdmitStatistics(data));
  REQUIRE(site.ledger.Answered(plain, data));

  REQUIRE(site.ledger.Set(data, Budget(10)));
  CHECK(site.Shown(data).unprotected == 1);
  for (const auto& task : {plain, survey, measure}) {
    CHECK(site.Refused(task, data) == ErrorId::kBudgetNeedsNoise);
  }
  CHECK_FALSE(site.ledger.AdmitStatistics(data));
  // The measure at the end of a run with noise is answered, by nothing.
  api::Task last = Round(4);
  last.kind = api::TaskKind::kEvaluate;
  const auto admitted = site.ledger.Admit(last, data);
  REQUIRE(admitted);
  CHECK(admitted->silent);
  CHECK(site.Shown(data).rounds == 0);
  // Without a budget again.
  REQUIRE(site.ledger.Set(data, {}));
  CHECK(site.ledger.Admit(plain, data));
}

TEST_CASE("a site may want the noise from nobody else") {
  Site site;
  const api::Dataset data = Data("digits");
  REQUIRE(site.ledger.Set(data, Budget(10, api::NoiseKind::kDistributed)));
  CHECK(site.Refused(Round(1), data) == ErrorId::kNoiseNeeded);
  CHECK(site.ledger.Admit(Round(1, 4, api::NoiseKind::kDistributed), data));
  CHECK(site.ledger.Admit(Round(2, 4, api::NoiseKind::kLocal), data));
  REQUIRE(site.ledger.Set(data, Budget(10, api::NoiseKind::kLocal)));
  CHECK(site.Refused(Round(3, 4, api::NoiseKind::kDistributed), data) == ErrorId::kNoiseNeeded);
}

TEST_CASE("neither another name nor another copy of the file begins the account anew") {
  Site site;
  const api::Dataset data = Data("digits");
  REQUIRE(site.ledger.Set(data, Budget(3)));
  site.Do(Round(1), data);
  const double once = *site.Shown(data).spent;
  // The same file by another name, a copy elsewhere, and a changed file by the same name or at the same place.
  const api::Dataset named = Data("numbers");
  const api::Dataset copied = Data("numbers", "/data/copy.csv");
  const api::Dataset replaced = Data("digits", "/data/new.csv", "blake2b:two");
  const api::Dataset rewritten = Data("others", "/data/digits.csv", "blake2b:three");
  for (const auto& same : {named, copied, replaced, rewritten}) {
    INFO(same.name << " " << same.path << " " << same.digest);
    CHECK(site.Shown(same).spent == Approx(once));
    CHECK(site.Shown(same).budget == 3.0);
    CHECK(site.Refused(Round(2, 0, api::NoiseKind::kNone), same) == ErrorId::kBudgetNeedsNoise);
  }
  const auto stranger = site.ledger.Show(Data("others", "/data/other.csv", "blake2b:four"));
  REQUIRE(stranger);
  CHECK_FALSE(*stranger);

  // Rows that had accounts of their own, and are put together: what both spent is added up, and the stricter budget
  // holds.
  const api::Dataset other = Data("others", "/data/other.csv", "blake2b:four");
  REQUIRE(site.ledger.Set(other, Budget(2)));
  site.Do(Round(1), other);
  site.Do(Round(2), other);
  const api::Dataset both = Data("digits", "/data/digits.csv", "blake2b:four");
  CHECK(site.Shown(both).rounds == 3);
  site.Do(Round(9, 100), both);
  const auto all = site.store.List<PrivacyAccount>();
  REQUIRE(all);
  CHECK(all->size() == 1);
  CHECK(site.Shown(data).rounds == 4);
  CHECK(site.Shown(other).budget == 2.0);

  REQUIRE(site.ledger.Forget(data));
  CHECK(site.Shown(other).spent == 0.0);
  CHECK(site.Shown(other).budget == 2.0);
}

TEST_CASE("many rounds compose tightly over runs") {
  Site site;
  const api::Dataset data = Data("digits");
  for (int run = 0; run < 10; ++run) {
    for (int round = 1; round <= 10; ++round) {
      site.Do(Round(round, 20, api::NoiseKind::kCentral, "run-" + std::to_string(run)), data);
    }
  }
  const double spent = *site.Shown(data).spent;
  CHECK(spent == Approx(EpsilonOf(GaussianCost(20).Times(100), 1e-5)));
  CHECK(spent < 10 * EpsilonOf(GaussianCost(20).Times(10), 1e-5) / 2);
  // For another δ it is another ε, of the same account.
  api::PrivacyTerms terms = Budget(5);
  terms.delta = 1e-9;
  REQUIRE(site.ledger.Set(data, terms));
  CHECK(*site.Shown(data).spent > spent);
}

}  // namespace
}  // namespace ote::site
