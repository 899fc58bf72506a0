#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/api/training.h"

namespace ote::api {
namespace {

Metrics Part(std::int64_t rows, std::optional<double> loss, std::optional<double> accuracy = {},
             std::optional<double> auc = {}, std::optional<double> rmse = {}) {
  return {.rows = rows, .loss = loss, .accuracy = accuracy, .auc = auc, .rmse = rmse};
}

TEST_CASE("metrics are put together by their rows") {
  const Metrics whole = WeightedMean({Part(100, 1.0, 0.5, 0.75), Part(300, 2.0, 0.9, 0.25)});
  CHECK(whole.rows == 400);
  CHECK(*whole.loss == Approx(1.75).epsilon(1e-12));
  CHECK(*whole.accuracy == Approx(0.8).epsilon(1e-12));
  CHECK(*whole.auc == Approx(0.375).epsilon(1e-12));
  CHECK_FALSE(whole.rmse);
}

TEST_CASE("RMSE is put together by its squares, as if all rows had been in one place") {
  const std::vector<double> errors = {1, -2, 3, 0.5, -4};
  const auto rmse = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += errors[i] * errors[i];
    return std::sqrt(sum / static_cast<double>(to - from));
  };
  const Metrics whole = WeightedMean({Part(2, {}, {}, {}, rmse(0, 2)), Part(3, {}, {}, {}, rmse(2, 5))});
  CHECK(*whole.rmse == Approx(rmse(0, 5)).epsilon(1e-12));
}

TEST_CASE("a measure is weighed over those sites that have it") {
  // A site whose held-out rows are of one class has no AUC.
  const Metrics whole = WeightedMean({Part(100, 1.0, 0.5, 0.9), Part(900, 2.0, 0.9)});
  CHECK(whole.rows == 1000);
  CHECK(*whole.auc == Approx(0.9).epsilon(1e-12));
  CHECK(*whole.loss == Approx(1.9).epsilon(1e-12));
}

TEST_CASE("no sites, and sites with no rows, have no metrics") {
  const Metrics none = WeightedMean({});
  CHECK(none.rows == 0);
  CHECK_FALSE(none.loss);
  const Metrics empty = WeightedMean({Part(0, 5.0), Part(-3, 7.0)});
  CHECK(empty.rows == 0);
  CHECK_FALSE(empty.loss);
}

TEST_CASE("a measure that is not finite does not spoil that of the others") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Metrics whole = WeightedMean({Part(100, nan, 0.5), Part(100, infinity, 0.7), Part(100, 3.0, 0.9)});
  CHECK(*whole.loss == 3.0);
  CHECK(*whole.accuracy == Approx(0.7).epsilon(1e-12));
}

TEST_CASE("counts beyond 64 bits stay at the largest number") {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const Metrics whole = WeightedMean({Part(most, 1.0), Part(most, 3.0)});
  CHECK(whole.rows == most);
  CHECK(*whole.loss == Approx(2.0).epsilon(1e-12));
}

}  // namespace
}  // namespace ote::api
