#include "core/federate/privacy/accountant.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/federate/plan.h"
#include "core/federate/privacy/cost.h"

namespace ote::federate {
namespace {

double CostAt(const RdpCurve& cost, double order) {
  const auto orders = RdpOrders();
  const auto it = std::find(orders.begin(), orders.end(), order);
  REQUIRE(it != orders.end());
  return cost.At()[static_cast<std::size_t>(it - orders.begin())];
}

RdpCurve Cost(double fraction, double noise, double rounds) {
  return (fraction < 1 ? SampledGaussianCost(fraction, noise) : GaussianCost(noise)).Times(rounds);
}

// The conversion of the first papers: ε(α) + log(1/δ) / (α − 1).
double EpsilonOf2017(const RdpCurve& cost, double delta) {
  double least = 1e300;
  for (std::size_t i = 0; i < cost.At().size(); ++i) {
    least = std::min(least, cost.At()[i] - std::log(delta) / (RdpOrders()[i] - 1));
  }
  return least;
}

TEST_CASE("costs agree with another accountant, and are never below the truth") {
  std::ifstream file(std::string(OTE_SOURCE_DIR) + "/test/vectors/privacy.json");
  const auto vectors = nlohmann::json::parse(file);
  REQUIRE(vectors["cases"].size() > 10);
  for (const auto& c : vectors["cases"]) {
    INFO(c.dump());
    const RdpCurve cost = Cost(c["fraction"], c["noise"], c["rounds"]);
    for (std::size_t i = 0; i < c["orders"].size(); ++i) {
      CHECK(CostAt(cost, c["orders"][i]) == Approx(c["costs"][i].get<double>()).epsilon(1e-9));
    }
    const double epsilon = EpsilonOf(cost, c["delta"]);
    // Orders between the whole ones make it a little tighter than the other's.
    CHECK(epsilon <= c["renyi"].get<double>() * (1 + 1e-9));
    CHECK(epsilon >= c["renyi"].get<double>() * 0.95);
    CHECK(epsilon >= c["pld"].get<double>());
  }
}

TEST_CASE("costs are those that were published") {
  // The tutorial of TensorFlow Privacy: MNIST, batches of 256 of 60,000, δ 1e-5.
  const double fraction = 256.0 / 60000;
  CHECK(EpsilonOf2017(Cost(fraction, 1.3, 15 * 60000.0 / 256), 1e-5) == Approx(1.19).epsilon(0.01));
  CHECK(EpsilonOf2017(Cost(fraction, 1.1, 60 * 60000.0 / 256), 1e-5) == Approx(3.01).epsilon(0.01));
  CHECK(EpsilonOf2017(Cost(fraction, 0.7, 45 * 60000.0 / 256), 1e-5) == Approx(7.10).epsilon(0.01));
  // Abadi et al. 2016, section 5.1: q 0.01, σ 4, 10,000 steps, δ 1e-5.
  CHECK(EpsilonOf2017(Cost(0.01, 4, 10000), 1e-5) == Approx(1.26).epsilon(0.01));
  // Mironov 2017, table II: α / 2σ².
  CHECK(CostAt(GaussianCost(2), 8) == 1.0);
  // Canonne, Kamath and Steinke 2020, theorem 4: Δ²/2σ² of concentrated differential privacy is α times that.
  CHECK(CostAt(GaussianCost(10), 64) == 64 * 0.005);
}

TEST_CASE("costs grow with rounds and sampling and shrink with noise") {
  CHECK(EpsilonOf(RdpCurve(), 1e-5) == 0);
  CHECK(EpsilonOf(Cost(1, 1, 1), 1e-5) < EpsilonOf(Cost(1, 1, 2), 1e-5));
  CHECK(EpsilonOf(Cost(0.1, 1, 10), 1e-5) < EpsilonOf(Cost(0.5, 1, 10), 1e-5));
  CHECK(EpsilonOf(Cost(0.999, 1, 10), 1e-5) <= EpsilonOf(Cost(1, 1, 10), 1e-5));
  CHECK(EpsilonOf(Cost(1, 1000, 1), 1e-5) < 0.006);
  CHECK(EpsilonOf(Cost(1, 2, 5), 1e-5) < EpsilonOf(Cost(1, 1, 5), 1e-5));
  CHECK(std::isinf(EpsilonOf(GaussianCost(0), 1e-5)));
  // Ten rounds together cost less than ten times one.
  CHECK(EpsilonOf(Cost(1, 4, 10), 1e-5) < 5 * EpsilonOf(Cost(1, 4, 1), 1e-5));
}

TEST_CASE("costs at other orders are never read as smaller") {
  const std::vector<double> orders = {2, 10, 64};
  const std::vector<double> costs = {0.1, 0.5, 3};
  const RdpCurve read = RdpCurve::From(orders, costs);
  CHECK(CostAt(read, 1.5) == 0.1);
  CHECK(CostAt(read, 2) == 0.1);
  CHECK(CostAt(read, 3) == 0.5);
  CHECK(CostAt(read, 64) == 3);
  CHECK(std::isinf(CostAt(read, 128)));
  const RdpCurve mine = GaussianCost(3);
  const RdpCurve same = RdpCurve::From(RdpOrders(), mine.At());
  CHECK(std::equal(mine.At().begin(), mine.At().end(), same.At().begin()));
}

TEST_CASE("the sum and the count of adaptive clipping together cost what the noise says") {
  const double noise = 1.2;
  const double count = 4;
  const double sum = NoiseBesideCount(noise, count);
  CHECK(sum > noise);
  // Two Gaussians at once: their costs add up; the count differs by a half.
  RdpCurve both = GaussianCost(sum);
  both += GaussianCost(2 * count);
  CHECK(CostAt(both, 16) == Approx(CostAt(GaussianCost(noise), 16)));
  CHECK(NoiseBesideCount(1, 0.5) == 0);
  CHECK(NoiseBesideCount(1, 0) == 0);
  CHECK(NoiseBesideCount(1, 1) == Approx(std::sqrt(4.0 / 3)));
}

TEST_CASE("a run says what it costs, and one that costs more than it may is refused with the noise that would do") {
  api::RunSpec spec;
  spec.dataset = "digits";
  spec.rounds = 10;
  spec.privacy.kind = api::NoiseKind::kCentral;
  const auto whole = CostOf(spec, 4, 10);
  CHECK(whole.planned_epsilon == Approx(EpsilonOf(Cost(1, 1, 10), 1e-5)));
  CHECK(whole.epsilon == Approx(EpsilonOf(Cost(1, 1, 4), 1e-5)));
  CHECK(whole.site_epsilon == whole.planned_epsilon);
  spec.sites.fraction = 0.1;
  const auto drawn = CostOf(spec, 4, 10);
  CHECK(drawn.planned_epsilon < whole.planned_epsilon / 3);
  CHECK(drawn.site_epsilon == whole.site_epsilon);
  // Who took part is no secret from the root, against which local noise protects.
  spec.privacy.kind = api::NoiseKind::kLocal;
  CHECK(CostOf(spec, 4, 10).planned_epsilon == whole.planned_epsilon);

  spec.privacy.max_epsilon = 5;
  const auto refused = CheckPlan(spec);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kRunTooCostly);
  CHECK_THAT(refused.error().message, Catch::Contains("ε 19.0") && Catch::Contains("5 is allowed"));
  const std::string hint = refused.error().hint;
  REQUIRE_THAT(hint, Catch::StartsWith("set privacy.noiseMultiplier: "));
  spec.privacy.noise_multiplier = std::stod(hint.substr(hint.find(':') + 1));
  CHECK(CheckPlan(spec));
  CHECK(CostOf(spec, 0, 10).planned_epsilon > 4);
}

}  // namespace
}  // namespace ote::federate
