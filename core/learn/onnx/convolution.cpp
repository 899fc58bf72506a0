// A convolutional network as ONNX. Operators of opset 13 know no group normalisation: it is InstanceNormalization,
// which takes the mean and variance of one channel, of channels that are laid side by side.
#include <vector>

#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {
namespace {

constexpr float kEpsilon = 1e-5F;  // added to a variance, as the model does

// Sides of what stands between two operators.
struct Planes {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

std::string Reshape(Graph& graph, const std::string& name, const std::string& input, std::vector<std::int64_t> shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  return graph.Add("Reshape", {input, graph.Constant(name, {rank}, std::span<const std::int64_t>(shape))});
}

// `gamma` and `beta` are one number a channel.
std::string Normalize(Graph& graph, const Source& source, const TensorInfo& gamma, const TensorInfo& beta,
                      const Planes& planes, const std::string& input) {
  const std::int64_t groups = source.spec.groups;
  const std::vector<float> ones(static_cast<std::size_t>(groups), 1.0F);
  const std::vector<float> zeros(static_cast<std::size_t>(groups), 0.0F);
  // A row's extent of 0 stands for the number of rows.
  std::string at = Reshape(graph, gamma.name + ".groups", input, {0, groups, -1});
  at = graph.Add("InstanceNormalization",
                 {at, graph.Constant(gamma.name + ".ones", {groups}, std::span<const float>(ones)),
                  graph.Constant(gamma.name + ".zeros", {groups}, std::span<const float>(zeros))},
                 {{"epsilon", kEpsilon}});
  at = Reshape(graph, gamma.name + ".planes", at, {0, planes.channels, planes.height, planes.width});
  const std::vector<std::int64_t> of_channels = {1, planes.channels, 1, 1};
  at = graph.Add("Mul", {at, graph.Constant(gamma.name, of_channels, source.Values(gamma.name))});
  return graph.Add("Add", {at, graph.Constant(beta.name, of_channels, source.Values(beta.name))});
}

}  // namespace

Result<std::string> WriteConvolution(Graph& graph, const Source& source, const std::string& input) {
  const api::ModelSpec& spec = source.spec;
  Planes planes{spec.image[0], spec.image[1], spec.image[2]};
  std::string at =
      Reshape(graph, "image", WriteInput(graph, source, input), {0, planes.channels, planes.height, planes.width});
  const std::int64_t margin = (spec.kernel - 1) / 2;
  const bool normed = spec.norm == api::Normalization::kGroup;
  std::size_t tensor = 0;
  for (const std::int64_t filters : spec.filters) {
    planes.channels = filters;
    at = graph.Add(
        "Conv",
        {at, WriteTensor(graph, source, source.layout[tensor]), WriteTensor(graph, source, source.layout[tensor + 1])},
        {{"kernel_shape", std::vector<std::int64_t>(2, spec.kernel)},
         {"pads", std::vector<std::int64_t>(4, margin)},
         {"strides", std::vector<std::int64_t>(2, 1)}});
    tensor += 2;
    if (normed) {
      at = Normalize(graph, source, source.layout[tensor], source.layout[tensor + 1], planes, at);
      tensor += 2;
    }
    at = WriteActivation(graph, source, at);
    if (spec.pool == 1) continue;
    // What is left over at the right and the bottom has no part.
    at = graph.Add("MaxPool", {at},
                   {{"kernel_shape", std::vector<std::int64_t>(2, spec.pool)},
                    {"strides", std::vector<std::int64_t>(2, spec.pool)}});
    planes.height /= spec.pool;
    planes.width /= spec.pool;
  }
  at = graph.Add("Flatten", {at}, {{"axis", std::int64_t{1}}});
  return WriteLayers(graph, source, tensor, at);
}

}  // namespace ote::learn::onnx
