// The app file, ote-app(5): what people write, read into an AppSpec.
//
// Three forms: ote's short form, plain Kubernetes manifests, and manifests after a first document of kind App that
// holds name, placement and rollout. What is wrong is told with file and line: kInputSyntax, kInputBadValue,
// kInputMissingField, kInputUnknownField (with the nearest field that is known), kQuantityInvalid, kAppInvalid.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/app_spec.h"
#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::api {

// How the parser comes by what a file names. Each fails for what it cannot read.
struct AppFileReader {
  std::function<Result<Bytes>(const std::filesystem::path& path)> file;  // relative to the app file's folder
  std::function<Result<std::string>(const std::string& name)> variable;  // of the environment
  std::function<Result<void>(std::string_view selector)> selector;       // whether it can be read
};
struct AppArtifact {
  std::string digest;
  Bytes bytes;
};
struct AppDocument {
  AppSpec spec;
  std::vector<AppArtifact> artifacts;  // of its files, to be put at the agent before it is deployed
};

// `file` is what messages call it. `name` stands in for the name of manifests; "" for that of their first object.
Result<AppDocument> ReadAppFile(std::string_view text, std::string_view file, const std::string& name,
                                const AppFileReader& reader);

// "500m", "2", "0.5" in thousandths of a core. kQuantityInvalid.
Result<std::int64_t> ParseCpu(std::string_view text);
// "64MiB", and as Kubernetes spells it: "64Mi", "1Gi", "500k".
Result<std::int64_t> ParseQuantity(std::string_view text);

}  // namespace ote::api
