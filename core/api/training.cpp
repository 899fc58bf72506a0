#include "core/api/training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/api/range.h"

namespace ote::api {
namespace {

// The weighted mean of one measure over those parts that have it.
class Mean {
 public:
  void Add(std::int64_t rows, const std::optional<double>& value) {
    if (!value || !std::isfinite(*value)) return;
    sum_ += static_cast<double>(rows) * *value;
    weight_ += static_cast<double>(rows);
  }
  std::optional<double> Get() const {
    if (weight_ == 0) return std::nullopt;
    return sum_ / weight_;
  }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

}  // namespace

Result<void> Validate(const TrainSpec& spec) {
  OTE_CHECK(CheckRange("training.learningRate", spec.learning_rate, 1e-12, 1000.0));
  OTE_CHECK(CheckBelow("training.momentum", spec.momentum, 1.0));
  OTE_CHECK(CheckBelow("training.beta1", spec.beta1, 1.0));
  OTE_CHECK(CheckBelow("training.beta2", spec.beta2, 1.0));
  OTE_CHECK(CheckRange("training.epsilon", spec.epsilon, 1e-30, 1.0));
  OTE_CHECK(CheckRange("training.l2", spec.l2, 0.0, 1000.0));
  OTE_CHECK(CheckRange<std::int64_t>("training.batchSize", spec.batch_size, 1, 1 << 20));
  OTE_CHECK(CheckRange<std::int64_t>("training.epochs", spec.epochs, 1, 10'000));
  OTE_CHECK(CheckRange<std::int64_t>("training.schedule.warmup", spec.schedule.warmup, 0, 1'000'000));
  OTE_CHECK(CheckRange("training.schedule.decay", spec.schedule.decay, 1e-9, 1.0));
  OTE_CHECK(CheckRange<std::int64_t>("training.schedule.every", spec.schedule.every, 1, 1'000'000));
  return CheckRange("training.schedule.floor", spec.schedule.floor, 0.0, 1.0);
}

double ScheduleFactor(const ScheduleSpec& spec, std::int64_t round, std::int64_t rounds) noexcept {
  if (round <= spec.warmup) return static_cast<double>(round) / static_cast<double>(spec.warmup + 1);
  const auto done = static_cast<double>(round - spec.warmup - 1);
  const auto every = static_cast<double>(spec.every);
  switch (spec.kind) {
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kStep:
      return std::pow(spec.decay, std::floor(done / every));
    case ScheduleKind::kExponential:
      return std::pow(spec.decay, done / every);
    case ScheduleKind::kCosine: {
      // Loshchilov and Hutter 2017, without restarts. The end comes after the last round: with a floor of 0 that one
      // still trains.
      const double length = std::max(1.0, static_cast<double>(rounds - spec.warmup));
      return spec.floor + (1 - spec.floor) * (1 + std::cos(std::numbers::pi * std::min(1.0, done / length))) / 2;
    }
  }
  return 1;
}

Metrics WeightedMean(const std::vector<Metrics>& parts) {
  Metrics whole;
  Mean loss;
  Mean accuracy;
  Mean auc;
  Mean square;
  for (const Metrics& part : parts) {
    if (part.rows <= 0) continue;
    const std::int64_t room = std::numeric_limits<std::int64_t>::max() - whole.rows;
    whole.rows += std::min(part.rows, room);
    loss.Add(part.rows, part.loss);
    accuracy.Add(part.rows, part.accuracy);
    auc.Add(part.rows, part.auc);
    square.Add(part.rows, part.rmse ? std::optional(*part.rmse * *part.rmse) : std::nullopt);
  }
  whole.loss = loss.Get();
  whole.accuracy = accuracy.Get();
  whole.auc = auc.Get();
  if (const auto mean = square.Get()) whole.rmse = std::sqrt(*mean);
  return whole;
}

}  // namespace ote::api
