// The kinds of models there are.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/learn/model.h"

namespace ote::learn {
namespace onnx {
struct Graph;
struct Source;
}  // namespace onnx

// A setting of a kind: its name in the `model` part of a run file. Defaults are those of api::ModelSpec.
struct ModelSetting {
  std::string_view name;
  std::string_view help;
};

struct ModelInfo {
  api::ModelKind kind;
  std::string_view summary;  // one line
  std::string_view paper;    // "" for none
  std::vector<api::DataTask> tasks;
  std::vector<ModelSetting> settings;
  bool statistical = false;  // see Model::Statistical
  // Called with a task that stands in `tasks`, and a shape of at least one feature and the outputs that the task needs.
  Result<std::unique_ptr<Model>> (*make)(const api::ModelSpec& spec, const Shape& shape, api::DataTask task);
  // Adds to the graph what makes of `input` [rows × features], before preparation, what Predict gives, and returns the
  // name of that value; see onnx/graph.h. Null for a kind that is not written as ONNX.
  Result<std::string> (*onnx)(onnx::Graph& graph, const onnx::Source& source, const std::string& input) = nullptr;
};

// In the order in which they are listed.
std::span<const ModelInfo* const> AllModels() noexcept;
const ModelInfo& InfoOf(api::ModelKind kind) noexcept;
// kRunInvalid when the kind does not do the task; the hint names those that do.
Result<void> CheckTask(const api::ModelSpec& spec, api::DataTask task);

}  // namespace ote::learn
