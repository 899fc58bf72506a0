#include "core/learn/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/learn/models/list.h"

namespace ote::learn {
namespace {

const ModelInfo* const kAll[] = {&kLinearInfo, &kSoftmaxInfo, &kMlpInfo, &kCnnInfo, &kGbtInfo, &kKmeansInfo};

std::string Listed(const std::vector<api::DataTask>& tasks) {
  std::string out;
  for (const api::DataTask task : tasks) out += fmt::format("{}{}", out.empty() ? "" : " or ", NameOf(task));
  return out;
}

// The kinds that can do `task`.
std::string KindsFor(api::DataTask task) {
  std::string out;
  for (const ModelInfo* info : kAll) {
    if (std::find(info->tasks.begin(), info->tasks.end(), task) == info->tasks.end()) continue;
    out += fmt::format("{}{}", out.empty() ? "" : " or ", NameOf(info->kind));
  }
  return out;
}

Error NotStatistical() { return Error{ErrorId::kUnsupported, "model: it is trained by gradient steps", {}}; }

}  // namespace

std::span<const ModelInfo* const> AllModels() noexcept { return kAll; }

const ModelInfo& InfoOf(api::ModelKind kind) noexcept {
  for (const ModelInfo* info : kAll) {
    if (info->kind == kind) return *info;
  }
  return *kAll[0];
}

Result<void> CheckTask(const api::ModelSpec& spec, api::DataTask task) {
  if (InfoOf(spec.kind).kind != spec.kind) {
    return Fail(ErrorId::kUnsupported, fmt::format("model.kind: this ote has no {}", NameOf(spec.kind)),
                "ote model kinds");
  }
  const ModelInfo& info = InfoOf(spec.kind);
  if (std::find(info.tasks.begin(), info.tasks.end(), task) != info.tasks.end()) return {};
  return Fail(
      ErrorId::kRunInvalid,
      fmt::format("model.kind: {} is for {}, and task is {}", NameOf(spec.kind), Listed(info.tasks), NameOf(task)),
      fmt::format("set model.kind: {}", KindsFor(task)));
}

Result<std::unique_ptr<Model>> MakeModel(const api::ModelSpec& spec, const Shape& shape, api::DataTask task) {
  OTE_CHECK(CheckTask(spec, task));
  if (shape.features < 1) return Fail(ErrorId::kRunInvalid, "model: the data has no features");
  if (task == api::DataTask::kClassification && shape.outputs < 2) {
    return Fail(ErrorId::kRunInvalid, fmt::format("model: needs two classes or more, the data has {}", shape.outputs));
  }
  if (task != api::DataTask::kClassification && shape.outputs != 1) {
    return Fail(ErrorId::kRunInvalid, fmt::format("model: a {} has one output, not {}", NameOf(task), shape.outputs));
  }
  if (!std::isfinite(spec.input_scale) || !std::isfinite(static_cast<float>(spec.input_scale)) ||
      spec.input_scale == 0) {
    return Fail(ErrorId::kRunInvalid, "model: inputScale must be a number other than 0");
  }
  return InfoOf(spec.kind).make(spec, shape, task);
}

Result<Trained> Model::Train(std::span<float>, const Table&, const api::TrainSpec&, const TrainTerms&, std::uint64_t,
                             std::stop_token) const {
  return Fail(ErrorId::kUnsupported, "model: it is made of statistics, and not trained by gradient steps");
}
std::int64_t Model::ContributionCount(std::span<const float> parameters) const {
  return static_cast<std::int64_t>(parameters.size());
}
Result<void> Model::Contribute(std::span<const float>, const Table&, std::span<float>, std::uint64_t,
                               std::stop_token) const {
  return Fail(NotStatistical());
}
Result<void> Model::Advance(std::span<float>, std::span<const double>, std::int64_t) const {
  return Fail(NotStatistical());
}
bool Model::Complete(std::span<const float>) const { return true; }

}  // namespace ote::learn
