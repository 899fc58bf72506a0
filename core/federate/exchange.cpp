#include "core/federate/exchange.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/learn/onnx.h"
#include "core/learn/safetensors.h"

namespace ote::federate {
namespace {

struct Placed {
  const learn::TensorInfo* info;
  std::span<const float> values;
};

// The tensors by name, and where their values lie in one buffer of all of them.
std::map<std::string_view, Placed> ByName(const learn::Layout& layout, std::span<const float> values) {
  std::map<std::string_view, Placed> tensors;
  for (const learn::TensorInfo& tensor : layout) {
    const auto count = static_cast<std::size_t>(tensor.Count());
    tensors.emplace(tensor.name, Placed{&tensor, values.first(count)});
    values = values.subspan(count);
  }
  return tensors;
}

TensorDifference Distance(const learn::TensorInfo& info, std::span<const float> a, std::span<const float> b) {
  TensorDifference out{info.name, info.shape, 0, 0, 1};
  double square = 0;
  double dot = 0;
  double of_a = 0;
  double of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    const double y = b[i];
    out.max_abs = std::max(out.max_abs, std::abs(x - y));
    square += (x - y) * (x - y);
    dot += x * y;
    of_a += x * x;
    of_b += y * y;
  }
  out.l2 = std::sqrt(square);
  if (square > 0) out.cosine = of_a > 0 && of_b > 0 ? std::clamp(dot / std::sqrt(of_a * of_b), -1.0, 1.0) : 0.0;
  return out;
}

constexpr std::string_view kClassesKey = "ote.classes";

std::vector<std::string> ClassesOf(const learn::OnnxModel& model) {
  const auto outputs = static_cast<std::size_t>(model.shape.outputs);
  if (const auto it = model.metadata.find(std::string(kClassesKey)); it != model.metadata.end()) {
    const auto json = ParseJson(it->second);
    std::vector<std::string> names;
    if (json && codec::Decode(*json, names, "", codec::Reader(nullptr)) && names.size() == outputs) return names;
  }
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < outputs; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace

bool IsModelFileOfOte(ByteView bytes) {
  const auto view = learn::ReadSafetensors(bytes);
  return view && view->metadata.contains("ote.model");
}

Result<ModelFile> ReadForeignModel(ByteView bytes, const ForeignSpec& spec) {
  OTE_CHECK(api::Validate(spec.model));
  OTE_TRY(const learn::SafetensorsView view, learn::ReadSafetensors(bytes));
  ModelFile out;
  out.spec = spec.model;
  out.task = spec.task;
  out.features = spec.features;
  out.classes = spec.classes;
  OTE_TRY(const auto model, out.Make());
  out.layout = model->GetLayout();
  const std::vector<float> values = learn::CopyValues(view);
  const auto tensors = ByName(view.layout, values);
  out.values.reserve(static_cast<std::size_t>(learn::TotalCount(out.layout)));
  for (const learn::TensorInfo& wanted : out.layout) {
    const auto it = tensors.find(wanted.name);
    if (it == tensors.end()) {
      return Fail(ErrorId::kModelInvalid, fmt::format("the tensor {} is missing; the spec's model has it", wanted.name),
                  "rename the tensors of the file, or change the spec");
    }
    if (it->second.info->shape != wanted.shape) {
      return Fail(ErrorId::kModelInvalid,
                  fmt::format("the tensor {} has shape [{}], and the spec's model [{}]", wanted.name,
                              fmt::join(it->second.info->shape, ", "), fmt::join(wanted.shape, ", ")));
    }
    out.values.insert(out.values.end(), it->second.values.begin(), it->second.values.end());
  }
  for (const auto& [name, placed] : tensors) {
    const bool known =
        std::any_of(out.layout.begin(), out.layout.end(), [&, n = name](const auto& t) { return t.name == n; });
    if (!known) {
      return Fail(ErrorId::kModelInvalid, fmt::format("the tensor {} is not one of the spec's model", name));
    }
  }
  if (!std::all_of(out.values.begin(), out.values.end(), [](float v) { return std::isfinite(v); })) {
    return Fail(ErrorId::kModelInvalid, "a value is NaN or infinite");
  }
  return out;
}

Result<Bytes> WriteOnnxFile(const ModelFile& model, const api::Preparation& preparation) {
  learn::OnnxModel out{model.spec, model.task, model.Shape(), model.values, {}};
  out.metadata = {{"ote.kind", std::string(NameOf(model.spec.kind))},
                  {"ote.task", std::string(NameOf(model.task))},
                  {"ote.model", DumpJson(ToJson(model.spec))},
                  {std::string(kClassesKey), DumpJson(ToJson(model.classes))}};
  return learn::WriteOnnx(out, preparation);
}

Result<ModelFile> ReadOnnxFile(ByteView bytes, std::optional<api::DataTask> task,
                               const std::vector<std::string>& classes) {
  OTE_TRY(learn::OnnxModel read, learn::ReadOnnx(bytes, task));
  ModelFile out;
  out.spec = read.spec;
  out.task = read.task;
  out.features = read.shape.features;
  out.values = std::move(read.values);
  if (out.task == api::DataTask::kClassification) {
    out.classes = classes.empty() ? ClassesOf(read) : classes;
    if (std::cmp_not_equal(out.classes.size(), read.shape.outputs)) {
      return Fail(ErrorId::kModelDataMismatch,
                  fmt::format("onnx: it has {} classes, and {} are named", read.shape.outputs, out.classes.size()));
    }
    if (std::set<std::string>(out.classes.begin(), out.classes.end()).size() != out.classes.size()) {
      return Fail(ErrorId::kModelDataMismatch, "onnx: two classes of one name");
    }
  }
  OTE_TRY(const auto model, out.Make());
  out.layout = model->GetLayout();
  return out;
}

ModelDifference Compare(const ModelFile& a, const ModelFile& b) {
  ModelDifference out;
  const auto of_a = ByName(a.layout, a.values);
  const auto of_b = ByName(b.layout, b.values);
  for (const learn::TensorInfo& tensor : a.layout) {
    const auto other = of_b.find(tensor.name);
    if (other != of_b.end() && other->second.info->shape == tensor.shape) {
      out.tensors.push_back(Distance(tensor, of_a.at(tensor.name).values, other->second.values));
    } else {
      out.only_a.push_back(tensor.name);
    }
  }
  for (const learn::TensorInfo& tensor : b.layout) {
    const auto other = of_a.find(tensor.name);
    if (other == of_a.end() || other->second.info->shape != tensor.shape) out.only_b.push_back(tensor.name);
  }
  return out;
}

}  // namespace ote::federate
