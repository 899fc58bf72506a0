// Fully connected layers as ONNX: Gemm, with Relu or Tanh between and Softmax at the end.
#include <fmt/format.h>

#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {

Result<std::string> WriteNetwork(Graph& graph, const Source& source, const std::string& input) {
  std::string at = input;
  if (source.spec.input_scale != 1.0) {
    const auto scale = static_cast<float>(source.spec.input_scale);
    at = graph.Add("Mul", {at, graph.Constant("inputScale", {}, std::span(&scale, 1))});
  }
  const std::size_t layers = source.layout.size() / 2;  // each has a weight and a bias
  for (std::size_t i = 0; i < layers; ++i) {
    const TensorInfo& weight = source.layout[2 * i];
    const TensorInfo& bias = source.layout[2 * i + 1];
    at = graph.Add("Gemm",
                   {at, graph.Constant(weight.name, weight.shape, source.Values(weight.name)),
                    graph.Constant(bias.name, bias.shape, source.Values(bias.name))},
                   {{"transB", std::int64_t{1}}});
    if (i + 1 < layers) at = graph.Add(source.spec.activation == api::Activation::kTanh ? "Tanh" : "Relu", {at});
  }
  if (source.task == api::DataTask::kClassification) at = graph.Add("Softmax", {at}, {{"axis", std::int64_t{1}}});
  return at;
}

}  // namespace ote::learn::onnx
