#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/learn/models.h"
#include "core/learn/onnx.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

constexpr std::size_t kMostBytes = (std::size_t{1} << 31) - (std::size_t{1} << 24);

tl::unexpected<Error> Unsupported(std::string why) {
  return Fail(ErrorId::kExportUnsupported, "onnx: " + std::move(why), "ote model export --format safetensors");
}

// What is missing is filled, then x becomes (x - shift) * scale; steps that change nothing are left out.
Result<std::string> WritePreparation(onnx::Graph& graph, const api::Preparation& preparation, std::int64_t features,
                                     std::string at) {
  const auto& columns = preparation.columns;
  if (columns.empty()) return at;
  for (const auto& column : columns) {
    if (column.categories.empty()) continue;
    return Unsupported(fmt::format("column {} holds categories, and what the graph takes is numbers", column.name));
  }
  if (std::cmp_not_equal(columns.size(), features)) {
    return Unsupported(fmt::format("the preparation has {} columns, and the model {}", columns.size(), features));
  }
  std::vector<float> fill;
  std::vector<float> shift;
  std::vector<float> scale;
  bool fills = false;
  bool shifts = false;
  bool scales = false;
  for (const auto& column : columns) {
    fill.push_back(column.fill ? static_cast<float>(*column.fill) : std::numeric_limits<float>::quiet_NaN());
    shift.push_back(static_cast<float>(column.shift));
    scale.push_back(static_cast<float>(column.scale));
    fills = fills || column.fill;
    shifts = shifts || shift.back() != 0;
    scales = scales || scale.back() != 1;
  }
  if (fills) {
    const std::string missing = graph.Add("IsNaN", {at});
    at =
        graph.Add("Where", {missing, graph.Constant("preparation.fill", {features}, std::span<const float>(fill)), at});
  }
  if (shifts) {
    at = graph.Add("Sub", {at, graph.Constant("preparation.shift", {features}, std::span<const float>(shift))});
  }
  if (scales) {
    at = graph.Add("Mul", {at, graph.Constant("preparation.scale", {features}, std::span<const float>(scale))});
  }
  return at;
}

}  // namespace

Result<Bytes> WriteOnnx(const OnnxModel& model, const api::Preparation& preparation) {
  const auto write = InfoOf(model.spec.kind).onnx;
  OTE_TRY(const auto made, MakeModel(model.spec, model.shape, model.task));
  if (write == nullptr) return Unsupported(fmt::format("this ote cannot write {} models", NameOf(model.spec.kind)));
  const std::size_t size = model.values.size() * sizeof(float);
  if (size > kMostBytes) return Unsupported(fmt::format("{} bytes of parameters; a file holds less than 2 GiB", size));
  if (std::cmp_not_equal(model.values.size(), TotalCount(made->GetLayout()))) {
    return Fail(ErrorId::kInternal, "onnx: values that do not fit the model");
  }
  if (!made->Complete(model.values)) return Unsupported("the model is in the middle of being made");
  onnx::Graph graph;
  graph.metadata = model.metadata;
  graph.inputs.push_back({"features", {-1, model.shape.features}});
  OTE_TRY(const std::string prepared, WritePreparation(graph, preparation, model.shape.features, "features"));
  const onnx::Source source{model.spec, model.shape, model.task, made->GetLayout(), model.values};
  OTE_TRY(const std::string out, write(graph, source, prepared));
  const std::string name = model.task == api::DataTask::kClassification ? "probabilities" : "value";
  for (onnx::Node& node : graph.nodes) std::replace(node.outputs.begin(), node.outputs.end(), out, name);
  graph.outputs.push_back({name, {-1, model.shape.outputs}});
  return onnx::Encode(graph);
}

}  // namespace ote::learn
