// Files: read whole, written so that a crash leaves the old content or the new one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote {

enum class Durability { kBestEffort, kSynced };

// The whole file. kFileFailed with the system's words; kFileFailed too when it is larger than `limit` bytes.
Result<Bytes> ReadFile(const std::filesystem::path& path, std::uint64_t limit = 1ULL << 32);
Result<std::string> ReadTextFile(const std::filesystem::path& path, std::uint64_t limit = 1ULL << 28);

// Writes to a temporary file beside `path`, syncs it and the folder (kSynced), and renames. The temporary is removed on
// every failure; kNoSpace when the disk is full.
Result<void> WriteFileAtomic(const std::filesystem::path& path, ByteView content, int mode = 0644,
                             Durability durability = Durability::kSynced);

// Reads a file that holds a secret: kKeyFileExposed when group or others may read or write it.
Result<Bytes> ReadPrivateFile(const std::filesystem::path& path, std::uint64_t limit = 1 << 16);

// Makes the folder and its parents; an existing folder is left as it is.
Result<void> MakeFolder(const std::filesystem::path& path, int mode = 0755);
// Makes the names in `folder` durable: what was created, renamed or removed there.
Result<void> SyncFolder(const std::filesystem::path& folder);
// The bytes of one that is there.
Result<void> SyncFile(const std::filesystem::path& file);
// Bytes that this user may still write on the file system that holds `path`.
Result<std::uint64_t> FreeSpace(const std::filesystem::path& path);

// What `errno` said about a file: "<doing> <path>: <words of the system>"; kNoSpace for a full disk, else kFileFailed.
Error FileError(std::string_view doing, const std::filesystem::path& path, int error);

}  // namespace ote
