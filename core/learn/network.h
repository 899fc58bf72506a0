// Fully connected layers over one flat buffer of parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/api/model.h"
#include "core/learn/descent.h"

namespace ote::learn {

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
  double dropout = 0;  // the part of the last layer's inputs that a training leaves out (Srivastava et al. 2014)

  std::int64_t Inputs() const noexcept { return layers.front().inputs; }
  std::int64_t Outputs() const noexcept { return layers.back().outputs; }
  std::int64_t Parameters() const noexcept { return layers.back().bias + layers.back().outputs; }
};

// `units` from the inputs to the outputs: {784, 256, 10}. At least two, all positive. The parameters begin at `start`.
Network MakeNetwork(std::span<const std::int64_t> units, std::int64_t start = 0);
Layout LayoutOf(const Network& network);
// Uniform values of variance 2 / fan.
void InitUniform(std::span<float> weights, double fan, std::uint64_t seed);
// Fresh weights (see Model::Init), layer i drawn from the (first + i)-th stream of `seed`. Biases are left as they are.
void InitWeights(const Network& network, std::uint64_t seed, std::uint64_t first, std::span<float> parameters);
// The weights, which L2 makes small; not the biases.
std::vector<Range> DecayedBy(const Network& network);

// The buffers for batches of up to `rows` rows; nothing is allocated after construction. One thread. `network` and
// `kernels` must outlive it.
class Workspace final : public Pass {
 public:
  Workspace(const Network& network, const Kernels& kernels, std::int64_t rows, Purpose purpose);

  void Load(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise = 0) override;
  std::span<float> Forward(const float* parameters) override;
  double Slope(std::span<const double> class_weights = {}) override;
  void Backward(const float* parameters, float* gradient) override { Backward(parameters, gradient, nullptr); }

  // For a network whose inputs are made by another one: Expect in place of Load, then fill Inputs() [rows×inputs].
  void Expect(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise);
  float* Inputs() noexcept { return outputs_[0]; }
  // Fills `inputs` with the slope of the inputs too, unless it is null.
  void Backward(const float* parameters, float* gradient, float* inputs);

 private:
  void Drop(const float* from, float* to) const;
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
  float* dropped_ = nullptr;     // the last layer's inputs, after dropout
  std::uint64_t noise_ = 0;
  bool drops_ = false;
  float* slopes_[2] = {nullptr, nullptr};
  float* targets_ = nullptr;
  float* scratch_ = nullptr;
};

}  // namespace ote::learn
