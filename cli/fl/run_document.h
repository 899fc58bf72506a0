// A run file as it was written, so that what is wrong with it is told with its place.
#pragma once

#include <filesystem>
#include <string>

#include "cli/frame/context.h"
#include "core/api/run_spec.h"

namespace ote::cli {

struct RunDocument {
  Json json = Json::object();
  SourceMap map;

  // "strategy.proximal=0.1": as if the file said so; the value is YAML. kUsage, kInputSyntax.
  Result<void> Set(const std::string& setting);
  // A setting that the model or strategy of `spec` would pass over is refused, unless it says what holds anyway:
  // kInputUnknownField with file, line, and what there is in its place.
  Result<void> CheckUsed(const api::RunSpec& spec) const;
  // With file and line before an error whose message begins with a field.
  Error Located(Error error) const;
};

// `file` may be "-" for standard input, and "" for none.
Result<RunDocument> ReadRunDocument(Context& context, const std::filesystem::path& file);

}  // namespace ote::cli
