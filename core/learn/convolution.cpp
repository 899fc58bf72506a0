#include "core/learn/convolution.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/learn/random.h"

namespace ote::learn {
namespace {

constexpr float kEpsilon = 1e-5f;  // added to a variance

std::int64_t RoundUp(std::int64_t floats) { return (floats + kConvSlack - 1) / kConvSlack * kConvSlack; }

std::size_t Size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int64_t Weights(const ConvShape& s) { return s.filters * s.channels * s.side * s.side; }

// A filter at the last pixel reads up to its own side beyond the slack.
std::int64_t PlaneFloats(std::int64_t planes, const ConvShape& s) { return planes * s.plane + kConvSlack + s.side; }

}  // namespace

ConvShape MakeConvShape(std::int64_t channels, std::int64_t filters, std::int64_t height, std::int64_t width,
                        std::int64_t side) {
  ConvShape s{.channels = channels, .filters = filters, .height = height, .width = width, .side = side};
  const std::int64_t margin = (side - 1) / 2;
  s.row = width + 2 * margin;
  s.start = margin * s.row + margin;
  s.span = RoundUp(height * s.row);
  // Vectors that begin at a pixel end in the same plane.
  s.plane = RoundUp((height + 2 * margin) * s.row + kConvSlack - 1);
  return s;
}

Layout LayoutOf(const ConvNetwork& network) {
  Layout layout;
  for (std::size_t i = 0; i < network.stages.size(); ++i) {
    const Stage& stage = network.stages[i];
    const ConvShape& s = stage.shape;
    const std::string number = std::to_string(i);
    layout.push_back({"conv." + number + ".weight", {s.filters, s.channels, s.side, s.side}});
    layout.push_back({"conv." + number + ".bias", {s.filters}});
    if (stage.groups == 0) continue;
    layout.push_back({"norm." + number + ".weight", {s.filters}});
    layout.push_back({"norm." + number + ".bias", {s.filters}});
  }
  for (TensorInfo& tensor : LayoutOf(network.head)) layout.push_back(std::move(tensor));
  return layout;
}

std::vector<Range> DecayedBy(const ConvNetwork& network) {
  std::vector<Range> ranges;
  for (const Stage& stage : network.stages) ranges.emplace_back(stage.weight, stage.bias);
  for (const Range& range : DecayedBy(network.head)) ranges.push_back(range);
  return ranges;
}

std::vector<float> InitParameters(const ConvNetwork& network, std::uint64_t seed) {
  std::vector<float> parameters(Size(network.head.Parameters()));
  const bool relu = network.head.activation == api::Activation::kRelu;
  std::uint64_t stream = 0;
  for (const Stage& stage : network.stages) {
    const ConvShape& s = stage.shape;
    const std::int64_t sources = relu ? s.channels : s.channels + s.filters;
    InitUniform(std::span(parameters).subspan(Size(stage.weight), Size(Weights(s))),
                static_cast<double>(sources * s.side * s.side), DeriveSeed(seed, stream++));
    if (stage.groups > 0) std::fill_n(parameters.begin() + stage.gamma, s.filters, 1.0f);
  }
  InitWeights(network.head, seed, stream, parameters);
  return parameters;
}

std::int64_t WorkingFloats(const ConvNetwork& network, std::int64_t rows, Purpose purpose) {
  std::int64_t floats = 0;
  for (const Stage& stage : network.stages) {
    const ConvShape& s = stage.shape;
    floats += (s.channels + s.filters) * s.plane + (purpose == Purpose::kTraining ? 3 : 2) * stage.Outputs();
  }
  for (const Layer& layer : network.head.layers) floats += 2 * (layer.inputs + layer.outputs);
  return rows * floats;
}

ConvWorkspace::ConvWorkspace(const ConvNetwork& network, const Kernels& kernels, std::int64_t rows, Purpose purpose)
    : network_(network), kernels_(kernels), head_(network.head, kernels, rows, purpose) {
  std::int64_t widest = 0;
  std::int64_t planes = 0;
  std::int64_t most = 0;
  for (std::size_t i = 0; i < network.stages.size(); ++i) {
    const Stage& stage = network.stages[i];
    const ConvShape& s = stage.shape;
    Kept kept;
    kept.planes.resize(Size(PlaneFloats(rows * s.channels, s)));
    kept.z.resize(Size(PlaneFloats(rows * s.filters, s)));
    kept.mask.resize(Size(s.span));
    for (std::int64_t y = 0; y < s.height; ++y) std::fill_n(kept.mask.begin() + y * s.row, s.width, 1.0f);
    kept.packed.resize(Size(Weights(s)));
    if (i + 1 < network.stages.size()) kept.outputs.resize(Size(rows * stage.Outputs()));
    kept.winners.resize(Size(rows * stage.Outputs()));
    kept.forms.assign(Size(rows * s.filters), {.center = 0, .scale = 1, .shift = 0});
    kept.means.resize(Size(rows * stage.groups));
    kept.variances.resize(Size(rows * stage.groups));
    kept_.push_back(std::move(kept));
    widest = std::max(widest, stage.Outputs());
    most = std::max(most, s.filters);
    if (i > 0) planes = std::max(planes, PlaneFloats(kConvBlock * s.channels, s));
  }
  if (purpose == Purpose::kForward) return;
  slope_.resize(Size(rows * widest));
  slope_planes_.resize(Size(planes));
  centers_.resize(Size(most));
  sums_.resize(Size(most));
  products_.resize(Size(most));
  plane_slopes_.resize(Size(most));
}

void ConvWorkspace::Load(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise) {
  rows_ = static_cast<std::int64_t>(index.size());
  head_.Expect(table, index, noise);
  const ConvShape& s = network_.stages[0].shape;
  for (std::size_t i = 0; i < index.size(); ++i) {
    kernels_.place(table.features.data() + static_cast<std::int64_t>(index[i]) * table.columns,
                   kept_[0].planes.data() + static_cast<std::int64_t>(i) * s.channels * s.plane, s.channels, s,
                   network_.head.input_scale);
  }
}

float* ConvWorkspace::Outputs(std::size_t stage) noexcept {
  return stage + 1 == kept_.size() ? head_.Inputs() : kept_[stage].outputs.data();
}

std::span<float> ConvWorkspace::Forward(const float* parameters) {
  const auto activate = network_.head.activation == api::Activation::kRelu ? kernels_.relu : kernels_.tanh;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const Stage& stage = network_.stages[i];
    const ConvShape& s = stage.shape;
    Kept& kept = kept_[i];
    if (i > 0) kernels_.place(Outputs(i - 1), kept.planes.data(), rows_ * s.channels, s, 1.0f);
    kernels_.pack(parameters + stage.weight, kept.packed.data(), s);
    kernels_.convolve(kept.planes.data(), kept.packed.data(), parameters + stage.bias, kept.z.data(), s, rows_);
    if (stage.groups > 0) Normalize(i, parameters);
    float* const out = Outputs(i);
    kernels_.pool(kept.z.data(), kept.forms.data(), out, kept.winners.data(), rows_ * s.filters, stage.pool, s);
    // Both activations rise, so that pooling before them gives the same as after, with fewer to compute.
    activate(out, rows_ * stage.Outputs());
  }
  return head_.Forward(parameters);
}

void ConvWorkspace::Normalize(std::size_t at, const float* parameters) {
  const Stage& stage = network_.stages[at];
  const ConvShape& s = stage.shape;
  Kept& kept = kept_[at];
  const std::int64_t in_group = s.filters / stage.groups;
  kernels_.moments(kept.z.data(), kept.mask.data(), kept.means.data(), kept.variances.data(), rows_ * stage.groups,
                   in_group, s);
  for (std::int64_t i = 0; i < rows_ * s.filters; ++i) {
    const std::size_t group = Size(i / in_group);
    const std::int64_t filter = i % s.filters;
    kept.forms[Size(i)] = {.center = kept.means[group],
                           .scale = parameters[stage.gamma + filter] / std::sqrt(kept.variances[group] + kEpsilon),
                           .shift = parameters[stage.beta + filter]};
  }
}

void ConvWorkspace::Backward(const float* parameters, float* gradient) {
  head_.Backward(parameters, gradient, slope_.data());
  const auto derive = network_.head.activation == api::Activation::kRelu ? kernels_.relu_back : kernels_.tanh_back;
  for (std::size_t i = kept_.size(); i-- > 0;) {
    const Stage& stage = network_.stages[i];
    const ConvShape& s = stage.shape;
    Kept& kept = kept_[i];
    derive(slope_.data(), Outputs(i), rows_ * stage.Outputs());
    DeriveStage(i, parameters, gradient);
    kernels_.convolve_gradient(kept.planes.data(), kept.z.data(), gradient + stage.weight, gradient + stage.bias, s,
                               rows_);
    if (i == 0) break;
    kernels_.pack_back(parameters + stage.weight, kept.packed.data(), s);
    ConvShape turned = s;
    std::swap(turned.channels, turned.filters);
    for (std::int64_t row = 0; row < rows_; row += kConvBlock) {
      const std::int64_t count = std::min(kConvBlock, rows_ - row);
      kernels_.convolve(kept.z.data() + row * s.filters * s.plane, kept.packed.data(), nullptr, slope_planes_.data(),
                        turned, count);
      kernels_.take(slope_planes_.data(), slope_.data() + row * s.channels * s.height * s.width, count * s.channels, s);
    }
  }
}

// With x = (z - mean) / deviation and y = gamma * x + beta, the slope of z is
// (gamma * dy - mean of gamma * dy - x * mean of gamma * dy * x) / deviation, the means taken over the group.
void ConvWorkspace::DeriveStage(std::size_t at, const float* parameters, float* gradient) {
  const Stage& stage = network_.stages[at];
  const ConvShape& s = stage.shape;
  Kept& kept = kept_[at];
  const std::int64_t pooled = stage.Pooled();
  for (std::int64_t row = 0; row < rows_; ++row) {
    const float* const slope = slope_.data() + row * stage.Outputs();
    const std::int32_t* const winners = kept.winners.data() + row * stage.Outputs();
    float* const z = kept.z.data() + row * s.filters * s.plane;
    const PlaneForm* const forms = kept.forms.data() + row * s.filters;
    for (std::int64_t f = 0; f < s.filters; ++f) {
      plane_slopes_[Size(f)] = {.center = forms[f].center, .constant = 0, .linear = 0, .gain = forms[f].scale};
    }
    if (stage.groups > 0) {
      for (std::int64_t f = 0; f < s.filters; ++f) centers_[Size(f)] = forms[f].center;
      kernels_.pool_sums(slope, winners, z, centers_.data(), sums_.data(), products_.data(), s.filters, pooled, s);
      const std::int64_t in_group = s.filters / stage.groups;
      const float share = 1.0f / static_cast<float>(in_group * s.height * s.width);
      for (std::int64_t g = 0; g < stage.groups; ++g) {
        const float rate = 1.0f / std::sqrt(kept.variances[Size(row * stage.groups + g)] + kEpsilon);
        float sum = 0;
        float product = 0;
        for (std::int64_t f = g * in_group; f < (g + 1) * in_group; ++f) {
          gradient[stage.beta + f] += sums_[Size(f)];
          gradient[stage.gamma + f] += rate * products_[Size(f)];
          sum += parameters[stage.gamma + f] * sums_[Size(f)];
          product += parameters[stage.gamma + f] * products_[Size(f)];
        }
        for (std::int64_t f = g * in_group; f < (g + 1) * in_group; ++f) {
          plane_slopes_[Size(f)].constant = -rate * share * sum;
          plane_slopes_[Size(f)].linear = -rate * rate * rate * share * product;
        }
      }
    }
    kernels_.pool_back(slope, winners, kept.mask.data(), plane_slopes_.data(), z, s.filters, pooled, s);
  }
}

}  // namespace ote::learn
