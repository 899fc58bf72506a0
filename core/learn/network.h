// Fully connected layers over one flat buffer of parameters: what all the models are made of.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/api/training.h"
#include "core/learn/data.h"
#include "core/learn/kernels.h"
#include "core/learn/layout.h"

namespace ote::learn {

enum class Loss { kCrossEntropy, kSquare };

struct Layer {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t weight = 0;  // where weight[outputs×inputs] and bias[outputs] begin in the flat buffer
  std::int64_t bias = 0;
};

struct Network {
  std::vector<Layer> layers;
  api::Activation activation = api::Activation::kRelu;  // between the layers
  Loss loss = Loss::kCrossEntropy;
  float input_scale = 1.0f;

  std::int64_t Inputs() const noexcept { return layers.front().inputs; }
  std::int64_t Outputs() const noexcept { return layers.back().outputs; }
  std::int64_t Parameters() const noexcept { return layers.back().bias + layers.back().outputs; }
};

// `units` from the inputs to the outputs: {784, 256, 10}. At least two, all positive.
Network MakeNetwork(std::span<const std::int64_t> units);
Layout LayoutOf(const Network& network);

enum class Purpose { kForward, kTraining };

// The buffers for batches of up to `rows` rows; nothing is allocated after construction. One thread. `network` and
// `kernels` must outlive it.
class Workspace {
 public:
  Workspace(const Network& network, const Kernels& kernels, std::int64_t rows, Purpose purpose);

  // Copies (and scales) the rows index[0..) of the table, and their targets, in.
  void Load(const Table& table, std::span<const std::uint32_t> index);
  // Logits or values [rows×outputs] of what was loaded.
  std::span<float> Forward(const float* parameters);
  // After Forward: turns its result into the loss's slope, each row's multiplied by the weight of its class (none: 1).
  // Returns the sum of the losses of the rows, without weights.
  double Slope(std::span<const double> class_weights = {});
  // After Slope: adds the gradient of the mean loss to `gradient`, laid out as the parameters.
  void Backward(const float* parameters, float* gradient);

 private:
  struct Free {
    void operator()(float* p) const noexcept;
  };
  std::span<float> Claim(std::int64_t count);

  const Network& network_;
  const Kernels& kernels_;
  std::int64_t rows_ = 0;  // loaded now
  std::unique_ptr<float[], Free> memory_;
  std::int64_t claimed_ = 0;
  std::vector<float*> outputs_;  // [0] the batch, [i + 1] what layer i gives
  float* slopes_[2] = {nullptr, nullptr};
  float* targets_ = nullptr;
  float* scratch_ = nullptr;
};

// Applies gradients that were added to Gradient() to the parameters, and leaves the buffer ready for the next batch.
class Optimizer {
 public:
  Optimizer(const Network& network, const Kernels& kernels, const api::TrainSpec& spec, const float* parameters);
  float* Gradient() noexcept { return gradient_.data(); }
  void Step(float* parameters);

 private:
  const Network& network_;
  const Kernels& kernels_;
  const api::TrainSpec& spec_;
  std::vector<float> gradient_;  // SGD: the velocity too
  std::vector<float> first_;     // Adam's moments
  std::vector<float> second_;
  double beta1_power_ = 1;
  double beta2_power_ = 1;
};

}  // namespace ote::learn
