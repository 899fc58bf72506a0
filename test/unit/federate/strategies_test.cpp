// Each strategy against its formula, written out anew here in float64 from the paper that its file names.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "core/federate/strategy.h"

namespace ote::federate {
namespace {

using Vector = std::vector<double>;
constexpr std::size_t kSize = 3;

struct Update {
  std::vector<float> values;
  std::int64_t rows;
};
const std::vector<std::vector<Update>> kRounds = {
    {{{0.5F, -1.0F, 0.25F}, 10}, {{-0.25F, 0.5F, 2.0F}, 30}},
    {{{0.125F, 0.5F, -0.5F}, 10}, {{0.75F, -0.5F, 1.0F}, 30}},
    {{{-1.0F, 0.25F, 0.125F}, 10}, {{0.5F, 0.25F, -2.0F}, 30}},
};

Vector MeanOf(const std::vector<Update>& updates, std::size_t from = 0) {
  Vector mean(kSize);
  double rows = 0;
  for (const Update& update : updates) {
    rows += static_cast<double>(update.rows);
    for (std::size_t i = 0; i < kSize; ++i) {
      mean[i] += static_cast<double>(update.rows) * static_cast<double>(update.values[from + i]);
    }
  }
  for (double& value : mean) value /= rows;
  return mean;
}

// The model after all rounds, as the strategy makes it.
std::vector<float> Play(const api::StrategySpec& spec, const RoundFacts& facts = {}) {
  const auto strategy = MakeStrategy(spec);
  std::vector<float> model = {1, 2, 3};
  std::vector<float> state(static_cast<std::size_t>(strategy->StateVectors()) * kSize);
  strategy->Begin(state);
  for (const auto& updates : kRounds) {
    Accumulator sum(kSize, *ChooseGrid(64));
    for (const Update& update : updates) REQUIRE(sum.Fold(update.values, update.rows));
    REQUIRE(strategy->Apply(sum, facts, model, state));
  }
  return model;
}

void CheckSame(const std::vector<float>& got, const Vector& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    CHECK(static_cast<double>(got[i]) == Approx(want[i]).epsilon(1e-6).margin(1e-7));
  }
}

api::StrategySpec Spec(api::StrategyKind kind) {
  api::StrategySpec spec;
  spec.kind = kind;
  return spec;
}

TEST_CASE("every strategy is listed once, with a paper and settings that its spec has") {
  const Json fields = ToJson(api::StrategySpec{});
  std::vector<std::string_view> optional = {"serverLearningRate", "byzantine", "keep", "clipNorm"};
  for (const auto& [kind, name] : EnumNames<api::StrategyKind>::kNames) {
    INFO(name);
    const StrategyInfo& info = InfoOf(kind);
    CHECK(info.kind == kind);
    CHECK_FALSE(info.paper.empty());
    CHECK(MakeStrategy(Spec(kind)) != nullptr);
    for (const StrategySetting& setting : info.settings) {
      INFO(setting.name);
      const bool known = fields.contains(std::string(setting.name)) ||
                         std::find(optional.begin(), optional.end(), setting.name) != optional.end();
      CHECK(known);
    }
  }
  CHECK(AllStrategies().size() == std::size(EnumNames<api::StrategyKind>::kNames));
}

TEST_CASE("fedavg and fedprox add the weighted mean, times the server's rate") {
  for (const auto kind : {api::StrategyKind::kFedAvg, api::StrategyKind::kFedProx}) {
    api::StrategySpec spec = Spec(kind);
    for (const double rate : {1.0, 0.5}) {
      spec.server_learning_rate = rate;
      Vector want = {1, 2, 3};
      for (const auto& updates : kRounds) {
        const Vector mean = MeanOf(updates);
        for (std::size_t i = 0; i < kSize; ++i) want[i] += rate * mean[i];
      }
      CheckSame(Play(spec), want);
    }
  }
  CHECK(MakeStrategy(Spec(api::StrategyKind::kFedProx))->Plan().proximal == 0.01);
  CHECK(MakeStrategy(Spec(api::StrategyKind::kFedAvg))->Plan().proximal == 0);
}

TEST_CASE("fedavgm keeps a velocity") {
  Vector want = {1, 2, 3};
  Vector velocity(kSize);
  for (const auto& updates : kRounds) {
    const Vector mean = MeanOf(updates);
    for (std::size_t i = 0; i < kSize; ++i) {
      velocity[i] = 0.9 * velocity[i] + mean[i];
      want[i] += velocity[i];
    }
  }
  CheckSame(Play(Spec(api::StrategyKind::kFedAvgM)), want);
}

TEST_CASE("the adaptive strategies follow algorithm 2 of Reddi et al.") {
  const auto reference = [](double beta1, double rate, double tau, const std::function<double(double, double)>& next) {
    Vector w = {1, 2, 3};
    Vector m(kSize);
    Vector v(kSize, tau * tau);
    for (const auto& updates : kRounds) {
      const Vector d = MeanOf(updates);
      for (std::size_t i = 0; i < kSize; ++i) {
        m[i] = beta1 * m[i] + (1 - beta1) * d[i];
        v[i] = next(v[i], d[i] * d[i]);
        w[i] += rate * m[i] / (std::sqrt(v[i]) + tau);
      }
    }
    return w;
  };
  CheckSame(Play(Spec(api::StrategyKind::kFedAdam)),
            reference(0.9, 0.1, 1e-3, [](double v, double d2) { return 0.99 * v + 0.01 * d2; }));
  CheckSame(Play(Spec(api::StrategyKind::kFedYogi)), reference(0.9, 0.1, 1e-3, [](double v, double d2) {
              return v - 0.01 * d2 * (v > d2 ? 1 : v < d2 ? -1 : 0);
            }));
  CheckSame(Play(Spec(api::StrategyKind::kFedAdagrad)),
            reference(0, 0.1, 1e-3, [](double v, double d2) { return v + d2; }));
  api::StrategySpec other = Spec(api::StrategyKind::kFedAdam);
  other.server_learning_rate = 0.03;
  other.beta1 = 0.5;
  other.beta2 = 0.9;
  other.adaptivity = 0.1;
  CheckSame(Play(other), reference(0.5, 0.03, 0.1, [](double v, double d2) { return 0.9 * v + 0.1 * d2; }));
}

TEST_CASE("fednova multiplies the mean of normalised updates by the mean number of steps") {
  RoundFacts facts;
  facts.mean_steps = 12.5;
  Vector want = {1, 2, 3};
  for (const auto& updates : kRounds) {
    const Vector mean = MeanOf(updates);
    for (std::size_t i = 0; i < kSize; ++i) want[i] += 12.5 * mean[i];
  }
  CheckSame(Play(Spec(api::StrategyKind::kFedNova), facts), want);
  CHECK(MakeStrategy(Spec(api::StrategyKind::kFedNova))->Plan().normalize);
}

TEST_CASE("fedbuff lets stale weights take away from the step") {
  RoundFacts facts;
  facts.freshness = 0.75;
  Vector want = {1, 2, 3};
  for (const auto& updates : kRounds) {
    const Vector mean = MeanOf(updates);
    for (std::size_t i = 0; i < kSize; ++i) want[i] += 0.75 * mean[i];
  }
  CheckSame(Play(Spec(api::StrategyKind::kFedBuff), facts), want);
}

TEST_CASE("scaffold moves the model by the first vector and the common direction by the second") {
  const auto strategy = MakeStrategy(Spec(api::StrategyKind::kScaffold));
  REQUIRE(strategy->Vectors() == 2);
  REQUIRE(strategy->StateVectors() == 1);
  CHECK(strategy->Plan().control);
  const std::vector<Update> updates = {{{0.5F, -1.0F, 0.25F, 4, 8, 16}, 10}, {{-0.25F, 0.5F, 2.0F, -4, 0, 2}, 30}};
  Accumulator sum(2 * kSize, *ChooseGrid(64));
  for (const Update& update : updates) REQUIRE(sum.Fold(update.values, update.rows));
  std::vector<float> model = {1, 2, 3};
  std::vector<float> control = {0.5F, 0.5F, 0.5F};
  RoundFacts facts;
  facts.rows = 40;
  facts.pool_rows = 160;  // a quarter of all took part
  REQUIRE(strategy->Apply(sum, facts, model, control));
  const Vector mean = MeanOf(updates);
  const Vector change = MeanOf(updates, kSize);
  CheckSame(model, {1 + mean[0], 2 + mean[1], 3 + mean[2]});
  CheckSame(control, {0.5 + change[0] / 4, 0.5 + change[1] / 4, 0.5 + change[2] / 4});
}

// Strategies that compare updates, over updates in memory.
std::vector<float> Combined(const api::StrategySpec& spec, const std::vector<std::vector<float>>& updates,
                            std::int64_t memory = 1 << 20) {
  Gathered gathered;
  for (std::size_t u = 0; u < updates.size(); ++u) gathered.digests.push_back(std::to_string(u));
  gathered.count = static_cast<std::int64_t>(updates[0].size());
  gathered.memory = memory;
  gathered.read = [&](const std::string& digest, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
    const auto& update = updates.at(static_cast<std::size_t>(std::stoi(digest)));
    if (static_cast<std::size_t>(offset) + out.size() > update.size() * sizeof(float)) {
      return Fail(ErrorId::kInternal, "read beyond the end");
    }
    std::memcpy(out.data(), reinterpret_cast<const std::uint8_t*>(update.data()) + offset, out.size());
    return {};
  };
  std::vector<float> model(updates[0].size(), 10.0F);
  const auto strategy = MakeStrategy(spec);
  REQUIRE(strategy->NeedsAll());
  const auto done = strategy->Combine(gathered, model);
  INFO((done ? "" : done.error().message));
  REQUIRE(done);
  return model;
}

TEST_CASE("the median takes the middle, or the mean of the two in the middle") {
  const auto spec = Spec(api::StrategyKind::kMedian);
  CheckSame(Combined(spec, {{1, -5}, {3, 100}, {2, 0}}), {12, 10});
  CheckSame(Combined(spec, {{1, -5}, {3, 100}, {2, 0}, {1000, 4}}), {12.5, 12});
  CheckSame(Combined(spec, {{4, 5}}), {14, 15});
}

TEST_CASE("the trimmed mean leaves out the part that it says at each end") {
  auto spec = Spec(api::StrategyKind::kTrimmedMean);
  spec.trim = 0.2;
  CheckSame(Combined(spec, {{1}, {2}, {3}, {4}, {1000}}), {13});
  CheckSame(Combined(spec, {{1}, {2}, {3}, {6}}), {13});  // a fifth of four is none
  spec.trim = 0;
  CheckSame(Combined(spec, {{1}, {2}, {3}}), {12});
}

TEST_CASE("krum takes the update that is nearest to the others, and multi-krum the mean of the best") {
  // Distances by hand: 0, 1 and 3 lie within 1 of each other; 2 and 4 are far away.
  const std::vector<std::vector<float>> updates = {{0, 0}, {1, 0}, {50, 50}, {0.5F, 0.5F}, {-40, 3}};
  auto spec = Spec(api::StrategyKind::kKrum);
  spec.byzantine = 1;  // the scores add the 2 nearest: 0: 0.5 + 1, 1: 0.5 + 1, 3: 0.5 + 0.5
  CheckSame(Combined(spec, updates), {10.5, 10.5});
  auto multi = Spec(api::StrategyKind::kMultiKrum);
  multi.byzantine = 1;
  multi.keep = 3;
  CheckSame(Combined(multi, updates), {10.5, 10 + 0.5 / 3});
}

TEST_CASE("krum tells how many updates it needs") {
  auto spec = Spec(api::StrategyKind::kKrum);
  spec.byzantine = 2;
  Gathered gathered;
  gathered.digests = {"a", "b", "c", "d", "e", "f"};
  gathered.count = 1;
  std::vector<float> model(1);
  const auto done = MakeStrategy(spec)->Combine(gathered, model);
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "krum needs 7 updates to withstand 2 sites that lie, and there are 6");
}

TEST_CASE("strategies that compare updates give the same bits whatever memory they may use") {
  std::vector<std::vector<float>> updates(7, std::vector<float>(1000));
  std::uint32_t x = 1;
  for (auto& update : updates) {
    for (float& value : update) {
      x = x * 1664525U + 1013904223U;
      value = static_cast<float>(x >> 8) / 16777216.0F - 0.5F;
    }
  }
  for (const auto kind : {api::StrategyKind::kMedian, api::StrategyKind::kTrimmedMean, api::StrategyKind::kKrum,
                          api::StrategyKind::kMultiKrum}) {
    const auto whole = Combined(Spec(kind), updates);
    for (const std::int64_t memory : {1, 100, 4096, 27'999}) CHECK(Combined(Spec(kind), updates, memory) == whole);
  }
}

TEST_CASE("a read that fails while updates are compared is told") {
  Gathered gathered;
  gathered.digests = {"a"};
  gathered.count = 4;
  gathered.memory = 1;
  gathered.read = [](const std::string& digest, std::int64_t, std::span<std::uint8_t>) -> Result<void> {
    return Fail(ErrorId::kArtifactMissing, digest);
  };
  std::vector<float> model(4);
  const auto done = MakeStrategy(Spec(api::StrategyKind::kMedian))->Combine(gathered, model);
  REQUIRE_FALSE(done);
  CHECK(done.error().id == ErrorId::kArtifactMissing);
}

}  // namespace
}  // namespace ote::federate
