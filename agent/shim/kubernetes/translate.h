// An assignment into the objects that run it. Pure, but for the files that it reads through `artifact`.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/manifests.h"
#include "core/api/app.h"

namespace ote::kube {

// On all that we make for an app, its pods included: whose it is.
inline constexpr const char* kAppLabel = "ote/app";
inline constexpr const char* kRevision = "ote/revision";
inline constexpr const char* kDigest = "ote/digest";

// What an app goes by among objects: at most 45 characters of a DNS label (RFC 1035), one for each key.
std::string NameOfKey(const std::string& key);

using Artifact = std::function<Result<std::filesystem::path>(const std::string& digest)>;

// The workload in ote's own words becomes a Deployment (a Job when it is to end), with a Service for its ports, and a
// ConfigMap and a Secret for files and secrets; manifests stay as they are. All get the labels and annotations above.
// kAppInvalid for what Kubernetes cannot run, such as a native command without an image.
Result<std::vector<Object>> Translate(const api::Assignment& assignment, const Artifact& artifact);

}  // namespace ote::kube
