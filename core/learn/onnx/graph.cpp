#include "core/learn/onnx/graph.h"

#include <fmt/format.h>

namespace ote::learn::onnx {

std::string Graph::Add(std::string op, std::vector<std::string> from, std::vector<Attribute> attributes,
                       std::string domain, int extra) {
  Node node{std::move(op), std::move(domain), std::move(from), {}, std::move(attributes)};
  std::string out = fmt::format("{}.{}", node.op, nodes.size());
  node.outputs.push_back(out);
  for (int i = 1; i <= extra; ++i) node.outputs.push_back(fmt::format("{}.{}", out, i));
  nodes.push_back(std::move(node));
  return out;
}

std::string Graph::Constant(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  tensors.push_back({name, std::move(shape), std::vector<float>(values.begin(), values.end())});
  return name;
}

std::string Graph::Constant(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values) {
  tensors.push_back({name, std::move(shape), std::vector<std::int64_t>(values.begin(), values.end())});
  return name;
}

std::span<const float> Source::Values(std::string_view tensor) const noexcept {
  std::span<const float> rest = parameters;
  for (const TensorInfo& info : layout) {
    const auto count = static_cast<std::size_t>(info.Count());
    if (info.name == tensor) return rest.first(count);
    rest = rest.subspan(count);
  }
  return {};
}

std::string WriteTensor(Graph& graph, const Source& source, const TensorInfo& tensor) {
  return graph.Constant(tensor.name, tensor.shape, source.Values(tensor.name));
}

}  // namespace ote::learn::onnx
