#include <fmt/format.h>

#include <algorithm>

#include "core/learn/models.h"
#include "core/learn/onnx.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

constexpr std::size_t kMostBytes = (std::size_t{1} << 31) - (std::size_t{1} << 24);

tl::unexpected<Error> Unsupported(std::string why) {
  return Fail(ErrorId::kExportUnsupported, "onnx: " + std::move(why), "ote model export --format safetensors");
}

Result<void> CheckPreparation(const api::Preparation& preparation, std::int64_t features) {
  for (const auto& column : preparation.columns) {
    if (column.categories.empty()) continue;
    return Unsupported(fmt::format("column {} holds categories, and what the graph takes is numbers", column.name));
  }
  const std::size_t columns = preparation.columns.size();
  if (columns == 0 || std::cmp_equal(columns, features)) return {};
  return Unsupported(fmt::format("the preparation has {} columns, and the model {}", columns, features));
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
  OTE_CHECK(CheckPreparation(preparation, model.shape.features));
  onnx::Graph graph;
  graph.metadata = model.metadata;
  graph.inputs.push_back({"features", {-1, model.shape.features}});
  const onnx::Source source{model.spec, model.shape, model.task, made->GetLayout(), model.values, preparation};
  OTE_TRY(const std::string out, write(graph, source, "features"));
  const std::string name = model.task == api::DataTask::kClassification ? "probabilities" : "value";
  for (onnx::Node& node : graph.nodes) std::replace(node.outputs.begin(), node.outputs.end(), out, name);
  graph.outputs.push_back({name, {-1, model.shape.outputs}});
  return onnx::Encode(graph);
}

}  // namespace ote::learn
