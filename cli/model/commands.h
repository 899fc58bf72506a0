// ote model: the models that runs made.
#pragma once

#include "cli/frame/command.h"
#include "core/api/run.h"
#include "core/base/bytes.h"

namespace ote::cli {

Command ModelCommand();

Command ListModelsCommand();
Command ShowModelCommand();
Command ExportCommand();
Command EvaluateCommand();
Command PredictCommand();

// The file of a model: `model` is a .safetensors file, or the name, run or digest of one that the agent has. What comes
// from the agent is checked against its digest (kArtifactCorrupt).
Result<Bytes> FetchModelFile(Context& context, const std::string& model, api::ModelEntry* entry = nullptr);

}  // namespace ote::cli
