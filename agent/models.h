// The registry of finished models. Serves model.list and model.show; the bytes go through artifact.get. One thread.
#pragma once

#include <string>

#include "agent/context.h"
#include "core/api/requests.h"

namespace ote::agent {

// By name, by the run that made it, by its digest or the beginning of that (at least kShortest hex digits, and only one
// model's). kModelUnknown.
Result<api::ModelEntry> FindModel(store::Store& store, const std::string& name);

class Models {
 public:
  explicit Models(Context& context) : context_(context) {}

  // Registers the verbs.
  Result<void> Start();

 private:
  Result<api::ModelList> List() const;

  Context& context_;
};

}  // namespace ote::agent
