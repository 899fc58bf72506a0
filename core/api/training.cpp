#include "core/api/training.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/api/range.h"

namespace ote::api {
namespace {

constexpr std::size_t kMaxLayers = 16;
constexpr std::int64_t kMaxUnits = 65536;

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

Result<void> Validate(const ModelSpec& spec) {
  const bool layers_fit = spec.hidden.size() <= kMaxLayers && (spec.kind != ModelKind::kMlp || !spec.hidden.empty());
  if (!layers_fit) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model.hidden: from 1 to {} layers, not {}", kMaxLayers, spec.hidden.size()));
  }
  for (std::size_t i = 0; i < spec.hidden.size(); ++i) {
    OTE_CHECK(CheckRange<std::int64_t>(fmt::format("model.hidden[{}]", i), spec.hidden[i], 1, kMaxUnits));
  }
  return CheckRange("model.inputScale", spec.input_scale, 1e-9, 1e9);
}

Result<void> Validate(const TrainSpec& spec) {
  OTE_CHECK(CheckRange("training.learningRate", spec.learning_rate, 1e-12, 1000.0));
  OTE_CHECK(CheckBelow("training.momentum", spec.momentum, 1.0));
  OTE_CHECK(CheckBelow("training.beta1", spec.beta1, 1.0));
  OTE_CHECK(CheckBelow("training.beta2", spec.beta2, 1.0));
  OTE_CHECK(CheckRange("training.epsilon", spec.epsilon, 1e-30, 1.0));
  OTE_CHECK(CheckRange("training.l2", spec.l2, 0.0, 1000.0));
  OTE_CHECK(CheckRange<std::int64_t>("training.batchSize", spec.batch_size, 1, 1 << 20));
  return CheckRange<std::int64_t>("training.epochs", spec.epochs, 1, 10'000);
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
