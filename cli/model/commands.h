// ote model: the registry, and what models are used for.
#pragma once

#include <optional>

#include "cli/frame/command.h"
#include "core/api/model_entry.h"
#include "core/base/bytes.h"

namespace ote::cli {

class AgentLink;

Command ModelCommand();

Command ListModelsCommand();
Command ShowModelCommand();
Command TagModelCommand();
Command RemoveModelCommand();
Command DiffModelsCommand();
Command ImportCommand();
Command ExportCommand();
Command EvaluateCommand();
Command PredictCommand();
Command KindsCommand();

inline constexpr const char* kModelHelp = "NAME, NAME@VERSION, NAME@TAG, a run, or a digest";
inline constexpr const char* kModelOrFileHelp = "NAME, NAME@VERSION, NAME@TAG, a run, a digest, or a .safetensors file";

// An artifact of the agent, piece by piece; without a size, of the one that the agent tells. kArtifactMissing;
// kArtifactCorrupt when what comes has another digest.
Result<Bytes> FetchArtifact(Context& context, AgentLink& link, const std::string& digest,
                            std::optional<std::int64_t> size = std::nullopt);
// Whether `model` means a file, and not one that the agent has.
bool IsModelFile(const Context& context, const std::string& model);
// The file of a model: `model` is a .safetensors file, or a reference to one that the agent has. What comes from the
// agent is checked against its digest (kArtifactCorrupt).
Result<Bytes> FetchModelFile(Context& context, const std::string& model, api::ModelEntry* entry = nullptr);

}  // namespace ote::cli
