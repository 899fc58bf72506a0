// Fully connected layers as ONNX: Gemm, with Relu or Tanh between and Softmax at the end.
#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {

std::string WriteActivation(Graph& graph, const Source& source, const std::string& input) {
  return graph.Add(source.spec.activation == api::Activation::kTanh ? "Tanh" : "Relu", {input});
}

std::string WriteLayers(Graph& graph, const Source& source, std::size_t first, const std::string& input) {
  std::string at = input;
  for (std::size_t i = first; i + 1 < source.layout.size(); i += 2) {
    if (i > first) at = WriteActivation(graph, source, at);
    at = graph.Add("Gemm",
                   {at, WriteTensor(graph, source, source.layout[i]), WriteTensor(graph, source, source.layout[i + 1])},
                   {{"transB", std::int64_t{1}}});
  }
  if (source.task == api::DataTask::kClassification) at = graph.Add("Softmax", {at}, {{"axis", std::int64_t{1}}});
  return at;
}

Result<std::string> WriteNetwork(Graph& graph, const Source& source, const std::string& input) {
  return WriteLayers(graph, source, 0, WriteInput(graph, source, input));
}

}  // namespace ote::learn::onnx
