// What Partial keeps; shared by artifacts.cpp, which begins one, partial.cpp and new_artifact.cpp.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/descriptor.h"
#include "core/store/artifacts.h"

namespace ote::store {

struct Partial::State {
  Descriptor file;
  std::filesystem::path path;  // of the partial
  std::filesystem::path goal;  // of the artifact
  crypto::Digest digest;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  crypto::Hasher hasher;  // of the first `offset` bytes
};

// Of files in `partial` whose digest is not known yet.
inline constexpr const char* kNewSuffix = ".new";

// Makes the folder that `file` stands in, durably.
Result<void> MakeFolderOf(const std::filesystem::path& file);

}  // namespace ote::store
