// The registry of models, as others see it. Serves model.*; the bytes come through artifact.put and go through
// artifact.get. One thread.
#pragma once

#include <functional>
#include <string>

#include "agent/context.h"
#include "core/api/requests.h"
#include "core/site/model_registry.h"

namespace ote::agent {

class Models {
 public:
  static constexpr std::size_t kMostListed = 1000;

  // `needed` tells whether a run, a task or the registry needs an artifact.
  Models(Context& context, std::function<bool(const std::string& digest)> needed)
      : context_(context), registry_(context.store), needed_(std::move(needed)) {}

  // Registers the verbs, and brings rows of an older ote up to date: before a run may register its model.
  Result<void> Start();

  // What a run starts from, for example. The artifact of what is found is here.
  Result<api::ModelEntry> Find(const std::string& reference) const { return registry_.Find(reference); }

 private:
  Result<api::ModelList> List(const api::ModelListRequest& request) const;
  Result<api::ModelEntry> Tag(const api::ModelTagRequest& request);
  Result<api::ModelEntry> Remove(const api::ModelRemoveRequest& request);
  Result<api::ModelEntry> Import(const api::ModelImportRequest& request);

  Context& context_;
  site::ModelRegistry registry_;
  std::function<bool(const std::string& digest)> needed_;
};

}  // namespace ote::agent
