#include "core/federate/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/learn/prepare.h"
#include "core/learn/safetensors.h"

namespace ote::federate {
namespace {

constexpr std::string_view kFormat = "ote-model-1";

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kModelInvalid, fmt::format("the model file: {}", why));
}

Result<std::string> Take(const learn::Metadata& metadata, const std::string& key) {
  const auto it = metadata.find(key);
  if (it == metadata.end()) return Invalid(fmt::format("{} is missing in its metadata; it was not made by ote", key));
  return it->second;
}

template <class T>
Result<T> TakeJson(const learn::Metadata& metadata, const std::string& key) {
  OTE_TRY(const std::string text, Take(metadata, key));
  const Result<Json> json = ParseJson(text);
  if (!json) return Invalid(fmt::format("{}: {}", key, json.error().message));
  T value{};
  // A newer ote may have added settings: what this one does not know is passed over.
  const auto decoded = codec::Decode(*json, value, "", codec::Reader(nullptr, codec::Unknown::kIgnore));
  if (!decoded) return Invalid(fmt::format("{}: {}", key, decoded.error().message));
  return value;
}

}  // namespace

learn::Shape ModelFile::Shape() const noexcept {
  return {features, task == api::DataTask::kClassification ? static_cast<std::int64_t>(classes.size()) : 1};
}

Result<std::unique_ptr<learn::Model>> ModelFile::Make() const { return learn::MakeModel(spec, Shape(), task); }

Bytes MakeModelFile(const ModelFile& about, std::span<const float> values) {
  learn::Metadata metadata = {{"format", std::string(kFormat)},
                              {"ote.kind", std::string(NameOf(about.spec.kind))},
                              {"ote.task", std::string(NameOf(about.task))},
                              {"ote.model", DumpJson(ToJson(about.spec))},
                              {"ote.features", std::to_string(about.features)},
                              {"ote.classes", DumpJson(ToJson(about.classes))}};
  if (!about.preparation.Empty()) metadata["ote.preparation"] = DumpJson(ToJson(about.preparation));
  return learn::WriteSafetensors(about.layout, values, metadata);
}

Result<ModelFile> ReadModelFile(ByteView bytes) {
  OTE_TRY(const learn::SafetensorsView view, learn::ReadSafetensors(bytes));
  OTE_TRY(const std::string format, Take(view.metadata, "format"));
  if (format != kFormat) return Invalid(fmt::format("its format is {}, and this ote reads {}", format, kFormat));
  ModelFile out;
  OTE_TRY(out.spec, TakeJson<api::ModelSpec>(view.metadata, "ote.model"));
  if (const auto valid = api::Validate(out.spec); !valid) return Invalid(valid.error().message);
  OTE_TRY(const std::string task, Take(view.metadata, "ote.task"));
  const auto known = EnumOf<api::DataTask>(task);
  if (!known) return Invalid(fmt::format("ote.task: {} is not known", task));
  out.task = *known;
  OTE_TRY(const std::string features, Take(view.metadata, "ote.features"));
  const auto [end, error] = std::from_chars(features.data(), features.data() + features.size(), out.features);
  if (error != std::errc{} || end != features.data() + features.size() || out.features < 1) {
    return Invalid(fmt::format("ote.features: {} is not a number of features", features));
  }
  OTE_TRY(out.classes, TakeJson<std::vector<std::string>>(view.metadata, "ote.classes"));
  if (view.metadata.count("ote.preparation") != 0) {
    OTE_TRY(out.preparation, TakeJson<api::Preparation>(view.metadata, "ote.preparation"));
    if (const auto valid = learn::CheckPreparation(out.preparation); !valid) return Invalid(valid.error().message);
    if (learn::PreparedColumns(out.preparation, out.features) != out.features) {
      return Invalid("ote.preparation: it does not make the features that the model takes");
    }
  }
  const auto model = out.Make();
  if (!model) return Invalid(model.error().message);
  if ((*model)->GetLayout() != view.layout) return Invalid("its tensors are not those of the model that it names");
  out.layout = view.layout;
  out.values = learn::CopyValues(view);
  if (!std::all_of(out.values.begin(), out.values.end(), [](float v) { return std::isfinite(v); })) {
    return Invalid("a value is NaN or infinite");
  }
  return out;
}

}  // namespace ote::federate
