#include "core/learn/network.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>

#include "core/learn/random.h"

namespace ote::learn {
namespace {

constexpr std::align_val_t kAlignment{64};

std::int64_t RoundUp(std::int64_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace

Network MakeNetwork(std::span<const std::int64_t> units, std::int64_t start) {
  Network network;
  std::int64_t at = start;
  for (std::size_t i = 0; i + 1 < units.size(); ++i) {
    Layer layer;
    layer.inputs = units[i];
    layer.outputs = units[i + 1];
    layer.weight = at;
    layer.bias = at + layer.inputs * layer.outputs;
    at = layer.bias + layer.outputs;
    network.layers.push_back(layer);
  }
  return network;
}

Layout LayoutOf(const Network& network) {
  Layout layout;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const std::string name = "layers." + std::to_string(i);
    layout.push_back({name + ".weight", {layer.outputs, layer.inputs}});
    layout.push_back({name + ".bias", {layer.outputs}});
  }
  return layout;
}

void InitUniform(std::span<float> weights, double fan, std::uint64_t seed) {
  const double bound = std::sqrt(6.0 / fan);
  Random random(seed);
  for (float& weight : weights) weight = static_cast<float>(bound * (2 * random.Uniform() - 1));
}

void InitWeights(const Network& network, std::uint64_t seed, std::uint64_t first, std::span<float> parameters) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const bool feeds_relu = i + 1 < network.layers.size() && network.activation == api::Activation::kRelu;
    const auto fan = static_cast<double>(feeds_relu ? layer.inputs : layer.inputs + layer.outputs);
    InitUniform(
        parameters.subspan(static_cast<std::size_t>(layer.weight), static_cast<std::size_t>(layer.bias - layer.weight)),
        fan, DeriveSeed(seed, first + i));
  }
}

std::vector<Range> DecayedBy(const Network& network) {
  std::vector<Range> ranges;
  for (const Layer& layer : network.layers) ranges.emplace_back(layer.weight, layer.bias);
  return ranges;
}

void Workspace::Free::operator()(float* p) const noexcept { ::operator delete[](p, kAlignment); }

std::span<float> Workspace::Claim(std::int64_t count) {
  float* const start = memory_.get() + claimed_;
  claimed_ += RoundUp(count);
  return {start, static_cast<std::size_t>(count)};
}

Workspace::Workspace(const Network& network, const Kernels& kernels, std::int64_t rows, Purpose purpose)
    : network_(network), kernels_(kernels), drops_(purpose == Purpose::kTraining && network.dropout > 0) {
  std::size_t scratch = 0;
  std::int64_t total = RoundUp(rows * network.Inputs()) + RoundUp(rows);
  std::int64_t widest = 0;
  for (const Layer& layer : network.layers) {
    scratch = std::max(scratch, kernels.scratch(rows, layer.outputs, layer.inputs));
    total += RoundUp(rows * layer.outputs);
    widest = std::max(widest, layer.outputs);
  }
  // Slopes go from the outputs to the inputs between two buffers; the last layer's slope takes the place of its output.
  const std::int64_t slope = purpose == Purpose::kTraining && network.layers.size() > 1 ? rows * widest : 0;
  const std::int64_t dropped = drops_ ? rows * network.layers.back().inputs : 0;
  total += RoundUp(dropped) + 2 * RoundUp(slope) + RoundUp(static_cast<std::int64_t>(scratch));
  memory_.reset(static_cast<float*>(::operator new[](static_cast<std::size_t>(total) * sizeof(float), kAlignment)));

  outputs_.push_back(Claim(rows * network.Inputs()).data());
  for (const Layer& layer : network.layers) outputs_.push_back(Claim(rows * layer.outputs).data());
  dropped_ = Claim(dropped).data();
  slopes_[0] = Claim(slope).data();
  slopes_[1] = Claim(slope).data();
  targets_ = Claim(rows).data();
  scratch_ = Claim(static_cast<std::int64_t>(scratch)).data();
}

void Workspace::Load(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise) {
  Expect(table, index, noise);
  kernels_.gather(table.features.data(), index.data(), outputs_[0], rows_, table.columns, network_.input_scale);
}

void Workspace::Expect(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise) {
  rows_ = static_cast<std::int64_t>(index.size());
  noise_ = noise;
  if (table.targets.empty()) return;  // a prediction needs none
  for (std::size_t i = 0; i < index.size(); ++i) targets_[i] = table.targets[index[i]];
}

// What is kept is made larger, so that the sum stays the same in the mean.
void Workspace::Drop(const float* from, float* to) const {
  const auto threshold = static_cast<std::uint32_t>(network_.dropout * 4294967296.0);
  const auto scale = static_cast<float>(1 / (1 - network_.dropout));
  kernels_.dropout(from, to, rows_ * network_.layers.back().inputs, noise_, threshold, scale);
}

std::span<float> Workspace::Forward(const float* parameters) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    const bool last = i + 1 == network_.layers.size();
    if (last && drops_) Drop(outputs_[i], dropped_);
    float* const out = outputs_[i + 1];
    kernels_.affine(last && drops_ ? dropped_ : outputs_[i], parameters + layer.weight, parameters + layer.bias, out,
                    rows_, layer.inputs, layer.outputs, scratch_);
    if (last) break;
    const auto activate = network_.activation == api::Activation::kRelu ? kernels_.relu : kernels_.tanh;
    activate(out, rows_ * layer.outputs);
  }
  return {outputs_.back(), static_cast<std::size_t>(rows_ * network_.Outputs())};
}

double Workspace::Slope(std::span<const double> class_weights) {
  if (network_.loss == Loss::kSquare) return kernels_.square_loss(outputs_.back(), targets_, rows_);
  const double loss = kernels_.softmax_loss(outputs_.back(), targets_, rows_, network_.Outputs());
  for (std::int64_t r = 0; r < rows_ && !class_weights.empty(); ++r) {
    const auto weight = static_cast<float>(class_weights[static_cast<std::size_t>(targets_[r])]);
    float* const row = outputs_.back() + r * network_.Outputs();
    for (std::int64_t c = 0; c < network_.Outputs(); ++c) row[c] *= weight;
  }
  return loss;
}

void Workspace::Backward(const float* parameters, float* gradient, float* inputs) {
  const auto derive = network_.activation == api::Activation::kRelu ? kernels_.relu_back : kernels_.tanh_back;
  const float* slope = outputs_.back();
  for (std::size_t i = network_.layers.size(); i-- > 0;) {
    const Layer& layer = network_.layers[i];
    const bool drops = drops_ && i + 1 == network_.layers.size();
    kernels_.add_gradient(drops ? dropped_ : outputs_[i], slope, gradient + layer.weight, gradient + layer.bias, rows_,
                          layer.inputs, layer.outputs, scratch_);
    float* const next = i == 0 ? inputs : slopes_[i % 2];
    if (next == nullptr) break;
    kernels_.back(slope, parameters + layer.weight, next, rows_, layer.inputs, layer.outputs, scratch_);
    if (drops) Drop(next, next);
    if (i > 0) derive(next, outputs_[i], rows_ * layer.inputs);
    slope = next;
  }
}

}  // namespace ote::learn
