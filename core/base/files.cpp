#include "core/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/base/descriptor.h"
#include "core/base/ids.h"

namespace ote {
namespace fs = std::filesystem;
namespace {

int Open(const fs::path& path, int flags, mode_t mode = 0) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// What the system said, as the tail of a message: lower case at the front.
std::string SystemWords(int error) {
  std::string words = std::generic_category().message(error);
  if (words.size() > 1 && words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a') {
    words[0] = static_cast<char>(words[0] - 'A' + 'a');
  }
  return words;
}

template <class Buffer>
Result<Buffer> ReadAll(int fd, const fs::path& path, std::uint64_t limit) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Fail(FileError("reading", path, errno));
  if (S_ISDIR(info.st_mode)) return Fail(FileError("reading", path, EISDIR));
  const auto too_large = [&] {
    return Fail(ErrorId::kFileFailed, fmt::format("reading {}: it is larger than {} bytes", path.string(), limit));
  };
  const auto announced = static_cast<std::uint64_t>(std::max<off_t>(info.st_size, 0));
  if (S_ISREG(info.st_mode) && announced > limit) return too_large();
  // One byte beyond the announced size, so that the end is seen without growing: a secret is not left in freed memory.
  Buffer content;
  content.resize(static_cast<std::size_t>(std::min(limit, std::max<std::uint64_t>(announced, 4095)) + 1));
  std::size_t used = 0;
  for (;;) {
    const ssize_t got = ::read(fd, content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", path, errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > limit) return too_large();
    if (used == content.size()) {
      content.resize(static_cast<std::size_t>(std::min<std::uint64_t>(limit + 1, std::uint64_t{content.size()} * 2)));
    }
  }
  content.resize(used);
  return content;
}

template <class Buffer>
Result<Buffer> ReadWhole(const fs::path& path, std::uint64_t limit) {
  const Descriptor file(Open(path, O_RDONLY));
  if (file.get() < 0) return Fail(FileError("reading", path, errno));
  return ReadAll<Buffer>(file.get(), path, limit);
}

int WriteAll(int fd, ByteView content) noexcept {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    content = content.subspan(static_cast<std::size_t>(put));
  }
  return 0;
}

fs::path FolderOf(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

Result<void> Sync(const fs::path& path, int flags) {
  const Descriptor handle(Open(path, flags));
  if (!handle) return Fail(FileError("syncing", path, errno));
  // Some file systems do not know how to sync a folder and say EINVAL; their renames are as durable as they get.
  if (::fsync(handle.get()) != 0 && errno != EINVAL) return Fail(FileError("syncing", path, errno));
  return {};
}

}  // namespace

Error FileError(std::string_view doing, const fs::path& path, int error) {
  const ErrorId id = error == ENOSPC || error == EDQUOT ? ErrorId::kNoSpace : ErrorId::kFileFailed;
  return {id, fmt::format("{} {}: {}", doing, path.string(), SystemWords(error)), {}};
}

Result<void> SyncFolder(const fs::path& folder) { return Sync(folder, O_RDONLY | O_DIRECTORY); }
Result<void> SyncFile(const fs::path& file) { return Sync(file, O_RDONLY); }

Result<Bytes> ReadFile(const fs::path& path, std::uint64_t limit) { return ReadWhole<Bytes>(path, limit); }

Result<std::string> ReadTextFile(const fs::path& path, std::uint64_t limit) {
  return ReadWhole<std::string>(path, limit);
}

Result<void> WriteFileAtomic(const fs::path& path, ByteView content, int mode, Durability durability) {
  const fs::path folder = FolderOf(path);
  const fs::path temporary = folder / fmt::format(".{}.{:016x}.tmp", path.filename().string(), RandomU64());
  Descriptor file(Open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, static_cast<mode_t>(mode)));
  if (file.get() < 0) return Fail(FileError("writing", path, errno));
  const bool synced = durability == Durability::kSynced;
  int error = WriteAll(file.get(), content);
  if (error == 0 && synced && ::fsync(file.get()) != 0) error = errno;
  if (!file.Close() && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    return Fail(FileError("writing", path, error));
  }
  if (synced) OTE_CHECK(SyncFolder(folder));
  return {};
}

Result<Bytes> ReadPrivateFile(const fs::path& path, std::uint64_t limit) {
  // O_NONBLOCK: a pipe put in the place of a key file must not hang the program.
  const Descriptor file(Open(path, O_RDONLY | O_NONBLOCK));
  if (file.get() < 0) return Fail(FileError("reading", path, errno));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return Fail(FileError("reading", path, errno));
  if (!S_ISREG(info.st_mode)) {
    return Fail(ErrorId::kFileFailed, fmt::format("reading {}: it is not a regular file", path.string()));
  }
  if ((info.st_mode & 077) != 0) {
    return Fail(ErrorId::kKeyFileExposed,
                fmt::format("reading {}: its mode is {:04o}, group or others have access", path.string(),
                            static_cast<unsigned>(info.st_mode & 07777)),
                fmt::format("chmod 600 {}", path.string()));
  }
  return ReadAll<Bytes>(file.get(), path, limit);
}

Result<void> MakeFolder(const fs::path& path, int mode) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  const fs::path parent = path.parent_path();
  if (!parent.empty() && parent != path) OTE_CHECK(MakeFolder(parent, 0755));
  if (path.filename().empty() || ::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0) return {};
  const int failed = errno;
  if (failed == EEXIST && fs::is_directory(path, error)) return {};
  return Fail(FileError("making folder", path, failed == EEXIST ? ENOTDIR : failed));
}

Result<std::uint64_t> FreeSpace(const fs::path& path) {
  struct statvfs info {};
  int status = 0;
  do {
    status = ::statvfs(path.c_str(), &info);
  } while (status != 0 && errno == EINTR);
  if (status != 0) return Fail(FileError("asking for the free space of", path, errno));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace ote
