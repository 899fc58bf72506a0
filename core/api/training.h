// What is trained and how: the part of a run file that core/learn understands.
#pragma once

#include <string>
#include <vector>

#include "core/base/codec.h"

namespace ote::api {

enum class ModelKind { kLinear, kSoftmax, kMlp };
enum class Activation { kRelu, kTanh };
enum class OptimizerKind { kSgd, kAdam };

struct ModelSpec {
  ModelKind kind = ModelKind::kSoftmax;
  std::vector<std::int64_t> hidden = {64};  // mlp: units of each hidden layer
  Activation activation = Activation::kRelu;
  double input_scale = 1.0;  // every feature is multiplied by it: 0.0625 brings 0..16 to 0..1

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("hidden", self.hidden);
    v("activation", self.activation);
    v("inputScale", self.input_scale);
  }
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

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
  }
  friend bool operator==(const TrainSpec&, const TrainSpec&) = default;
};

// Ranges and combinations: kRunInvalid naming the field.
Result<void> Validate(const ModelSpec& spec);
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
struct ote::EnumNames<ote::api::ModelKind> {
  using E = ote::api::ModelKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kLinear, "linear"}, {E::kSoftmax, "softmax"}, {E::kMlp, "mlp"}};
};
template <>
struct ote::EnumNames<ote::api::Activation> {
  using E = ote::api::Activation;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kRelu, "relu"}, {E::kTanh, "tanh"}};
};
template <>
struct ote::EnumNames<ote::api::OptimizerKind> {
  using E = ote::api::OptimizerKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kSgd, "sgd"}, {E::kAdam, "adam"}};
};
