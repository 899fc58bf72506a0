// What model is trained: the `model` part of a run file. core/learn makes the model of a spec; `ote model kinds` lists
// which settings each kind reads.
#pragma once

#include <string>
#include <vector>

#include "core/base/codec.h"

namespace ote::api {

enum class ModelKind { kLinear, kSoftmax, kMlp, kCnn, kGbt, kKmeans };
enum class Activation { kRelu, kTanh };
// Batch normalisation is known by name only, so that its refusal can say why.
enum class Normalization { kNone, kGroup, kBatch };

// One struct for all kinds: a kind reads its own settings and passes over the others.
struct ModelSpec {
  ModelKind kind = ModelKind::kSoftmax;
  std::vector<std::int64_t> hidden = {64};  // mlp, cnn: units of each fully connected hidden layer
  Activation activation = Activation::kRelu;
  double input_scale = 1.0;  // every feature is multiplied by it: 0.0625 brings 0..16 to 0..1

  // cnn
  std::vector<std::int64_t> image = {1, 28, 28};  // channels, height, width; a row's features channel by channel
  std::vector<std::int64_t> filters = {16, 32};   // of each convolution, which a pooling follows
  std::int64_t kernel = 3;                        // side of a filter, odd; the edges are padded with zeros
  std::int64_t pool = 2;                          // side of the max pooling; 1 for none
  Normalization norm = Normalization::kGroup;     // Wu and He 2018
  std::int64_t groups = 4;                        // of channels
  double dropout = 0.0;                           // before the last layer (Srivastava et al. 2014)

  // gbt
  std::int64_t trees = 50;  // a class has that many
  std::int64_t depth = 6;
  std::int64_t bins = 256;
  double shrinkage = 0.3;
  double lambda = 1.0;  // l2 on the leaves
  double gamma = 0.0;   // the least gain of a split
  double min_child_weight = 1.0;

  // kmeans
  std::int64_t centroids = 8;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("hidden", self.hidden);
    v("activation", self.activation);
    v("inputScale", self.input_scale);
    v("image", self.image);
    v("filters", self.filters);
    v("kernel", self.kernel);
    v("pool", self.pool);
    v("norm", self.norm);
    v("groups", self.groups);
    v("dropout", self.dropout);
    v("trees", self.trees);
    v("depth", self.depth);
    v("bins", self.bins);
    v("shrinkage", self.shrinkage);
    v("lambda", self.lambda);
    v("gamma", self.gamma);
    v("minChildWeight", self.min_child_weight);
    v("centroids", self.centroids);
  }
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

// Ranges and combinations: kRunInvalid naming the field.
Result<void> Validate(const ModelSpec& spec);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::ModelKind> {
  using E = ote::api::ModelKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kLinear, "linear"}, {E::kSoftmax, "softmax"},
                                                              {E::kMlp, "mlp"},       {E::kCnn, "cnn"},
                                                              {E::kGbt, "gbt"},       {E::kKmeans, "kmeans"}};
};
template <>
struct ote::EnumNames<ote::api::Activation> {
  using E = ote::api::Activation;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kRelu, "relu"}, {E::kTanh, "tanh"}};
};
template <>
struct ote::EnumNames<ote::api::Normalization> {
  using E = ote::api::Normalization;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kNone, "none"}, {E::kGroup, "group"}, {E::kBatch, "batch"}};
};
