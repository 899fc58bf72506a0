#include "agent/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace ote::agent {

Result<void> Models::Start() {
  context_.rpc.RegisterCall<api::Empty>(api::verb::kModelList, kByOperator,
                                        [this](const Request&, const auto&) { return List(); });
  context_.rpc.RegisterCall<api::NameRequest>(
      api::verb::kModelShow, kByOperator,
      [this](const Request&, const auto& body) { return FindModel(context_.store, body.name); });
  return {};
}

Result<api::ModelList> Models::List() const {
  OTE_TRY(auto models, context_.store.List<api::ModelEntry>());
  std::ranges::stable_sort(models, {}, &api::ModelEntry::created_at);
  return api::ModelList{std::move(models)};
}

Result<api::ModelEntry> FindModel(store::Store& store, const std::string& name) {
  constexpr std::size_t kShortest = 4;
  OTE_TRY(const auto models, store.List<api::ModelEntry>());
  for (const auto& model : models) {
    if (model.name == name || model.run == name || model.digest == name) return model;
  }
  // "blake2b:" may be left out.
  constexpr std::string_view kScheme = "blake2b:";
  std::string_view digits = name;
  if (digits.starts_with(kScheme)) digits.remove_prefix(kScheme.size());
  const api::ModelEntry* found = nullptr;
  if (digits.size() >= kShortest) {
    for (const auto& model : models) {
      if (!std::string_view(model.digest).substr(std::min(kScheme.size(), model.digest.size())).starts_with(digits))
        continue;
      // Two runs may end in the same model.
      if (found != nullptr && found->digest != model.digest) {
        return Fail(ErrorId::kUsage, fmt::format("model {}: more than one digest begins so", name), "ote model list");
      }
      found = &model;
    }
  }
  if (found == nullptr) {
    return Fail(ErrorId::kModelUnknown, fmt::format("model {}: no model has this name, run or digest", name),
                "ote model list");
  }
  return *found;
}

}  // namespace ote::agent
