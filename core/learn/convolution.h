// A convolutional network over one flat buffer of parameters: convolutions that keep the sides, each followed by group
// normalisation (Wu and He 2018), the activation and max pooling; then fully connected layers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/learn/descent.h"
#include "core/learn/kernels.h"
#include "core/learn/network.h"

namespace ote::learn {

// The second half of the shape, from the first.
ConvShape MakeConvShape(std::int64_t channels, std::int64_t filters, std::int64_t height, std::int64_t width,
                        std::int64_t side);

struct Stage {
  ConvShape shape{};
  std::int64_t pool = 1;
  std::int64_t groups = 0;  // 0 for no normalisation
  std::int64_t weight = 0;  // where weight[filters×channels×side×side], bias, gamma and beta begin in the flat buffer
  std::int64_t bias = 0;
  std::int64_t gamma = 0;
  std::int64_t beta = 0;

  std::int64_t Pooled() const noexcept { return (shape.height / pool) * (shape.width / pool); }  // of one plane
  std::int64_t Outputs() const noexcept { return shape.filters * Pooled(); }
};

struct ConvNetwork {
  std::vector<Stage> stages;
  Network head;  // its activation and scale are those of the stages too
};

Layout LayoutOf(const ConvNetwork& network);
// The weights, which L2 makes small; not the biases nor what normalisation learns.
std::vector<Range> DecayedBy(const ConvNetwork& network);
// See Model::Init.
std::vector<float> InitParameters(const ConvNetwork& network, std::uint64_t seed);
// Floats of the buffers of a ConvWorkspace, roughly.
std::int64_t WorkingFloats(const ConvNetwork& network, std::int64_t rows, Purpose purpose);

class ConvWorkspace final : public Pass {
 public:
  ConvWorkspace(const ConvNetwork& network, const Kernels& kernels, std::int64_t rows, Purpose purpose);

  void Load(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise = 0) override;
  std::span<float> Forward(const float* parameters) override;
  double Slope(std::span<const double> class_weights = {}) override { return head_.Slope(class_weights); }
  void Backward(const float* parameters, float* gradient) override;

 private:
  // What a stage keeps from the way forward for the way back.
  struct Kept {
    std::vector<float> planes;  // its inputs
    std::vector<float> z;       // what the convolution gave; on the way back its slope
    std::vector<float> mask;
    std::vector<float> packed;
    std::vector<float> outputs;           // after pooling and activation; the last stage's are the head's inputs
    std::vector<std::int32_t> winners;    // of the pooling
    std::vector<PlaneForm> forms;         // of each plane
    std::vector<float> means, variances;  // of each group
  };
  float* Outputs(std::size_t stage) noexcept;
  void Normalize(std::size_t stage, const float* parameters);
  void DeriveStage(std::size_t stage, const float* parameters, float* gradient);

  const ConvNetwork& network_;
  const Kernels& kernels_;
  Workspace head_;
  std::int64_t rows_ = 0;  // loaded now
  std::vector<Kept> kept_;
  std::vector<float> slope_;                      // of the outputs of the stage at hand
  std::vector<float> slope_planes_;               // of a few rows' inputs
  std::vector<float> centers_, sums_, products_;  // of each plane of a row
  std::vector<PlaneSlope> plane_slopes_;
};

}  // namespace ote::learn
