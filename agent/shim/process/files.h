// The files of a replica: copied from artifacts, never linked, since a command may write to what is its own; and
// checked.
#pragma once

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>

#include "agent/shim/process/spec.h"
#include "core/base/result.h"

namespace ote::agent::process {

using ArtifactPaths = std::map<std::string, std::filesystem::path>;  // by digest

// Where the file lies in the replica's folder.
std::filesystem::path PlaceOf(const std::filesystem::path& folder, const api::AppFile& file);

// Makes the replica's folder with everything in it but the supervisor's own files; files that are there and as they
// should be are left. kNotFound, kExecutableAltered for an artifact that is not what it is called, kNoSpace,
// kFileFailed.
// kInterrupted when stopped.
Result<void> Deliver(const std::filesystem::path& folder, const api::Workload& workload, const ArtifactPaths& artifacts,
                     const std::stop_token& stop);

// That all files, and the executable, are what was deployed. kExecutableAltered, kProcessFailed for one that is
// missing.
Result<void> CheckFiles(const std::filesystem::path& folder, const api::Workload& workload);

// The file that the first word of a command means, for a command that runs in `work`; "" when there is none.
std::filesystem::path ProgramOf(const std::filesystem::path& work, const api::Workload& workload);

// "blake2b:…" of a file, read in pieces.
Result<std::string> DigestOfFile(const std::filesystem::path& path);
// Both spellings of one digest, with and without its kind.
bool SameDigest(std::string_view a, std::string_view b);

}  // namespace ote::agent::process
