// How a site trains, and how good a model is.
#pragma once

#include <string>
#include <vector>

#include "core/api/model.h"
#include "core/base/codec.h"

namespace ote::api {

enum class OptimizerKind { kSgd, kAdam };
enum class ScheduleKind { kConstant, kStep, kExponential, kCosine };

// How the learning rate changes from round to round; the root tells each round's rate to the sites.
struct ScheduleSpec {
  ScheduleKind kind = ScheduleKind::kConstant;
  std::int64_t warmup = 0;  // rounds over which the rate grows from its share to the whole
  double decay = 0.5;       // step, exponential: the rate is multiplied by it
  std::int64_t every = 10;  // step, exponential: after so many rounds; exponential spreads it over them
  double floor = 0.0;       // cosine: the part of the rate that is left at the end

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("warmup", self.warmup);
    v("decay", self.decay);
    v("every", self.every);
    v("floor", self.floor);
  }
  friend bool operator==(const ScheduleSpec&, const ScheduleSpec&) = default;
};
// The part of the learning rate that round `round` (from 1) of `rounds` has.
double ScheduleFactor(const ScheduleSpec& spec, std::int64_t round, std::int64_t rounds) noexcept;

struct TrainSpec {
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double learning_rate = 0.05;
  double momentum = 0.9;  // sgd
  double beta1 = 0.9;     // adam (Kingma and Ba 2015)
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double l2 = 0.0;  // weight decay added to the gradient of the weights, not of the biases
  std::int64_t batch_size = 32;
  std::int64_t epochs = 1;  // passes over the local training rows in one round
  ScheduleSpec schedule;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("optimizer", self.optimizer);
    v("learningRate", self.learning_rate);
    v("momentum", self.momentum);
    v("beta1", self.beta1);
    v("beta2", self.beta2);
    v("epsilon", self.epsilon);
    v("l2", self.l2);
    v("batchSize", self.batch_size);
    v("epochs", self.epochs);
    v("schedule", self.schedule);
  }
  friend bool operator==(const TrainSpec&, const TrainSpec&) = default;
};

// Ranges and combinations: kRunInvalid naming the field.
Result<void> Validate(const TrainSpec& spec);

// Measures of a model on rows. Those that a task does not have stay empty: AUC is for two classes, accuracy for
// classification, RMSE for regression. `rows` weighs them when sites are put together.
struct Metrics {
  std::int64_t rows = 0;
  std::optional<double> loss;
  std::optional<double> accuracy;
  std::optional<double> auc;
  std::optional<double> rmse;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("rows", self.rows);
    v("loss", self.loss);
    v("accuracy", self.accuracy);
    v("auc", self.auc);
    v("rmse", self.rmse);
  }
};
// The row-weighted mean of loss, accuracy and AUC over those sites that have them; the root of the weighted mean square
// for RMSE. Sites are taken in the order given: sort by name first for a result that does not depend on arrival.
Metrics WeightedMean(const std::vector<Metrics>& parts);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::ScheduleKind> {
  using E = ote::api::ScheduleKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kConstant, "constant"}, {E::kStep, "step"}, {E::kExponential, "exponential"}, {E::kCosine, "cosine"}};
};
template <>
struct ote::EnumNames<ote::api::OptimizerKind> {
  using E = ote::api::OptimizerKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kSgd, "sgd"}, {E::kAdam, "adam"}};
};
