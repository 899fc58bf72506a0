#include "agent/shim/process/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/descriptor.h"
#include "core/base/files.h"
#include "crypto/digest.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

mode_t ModeOf(const api::AppFile& file) {
  const auto mode = static_cast<mode_t>(file.mode);
  return file.secret ? (mode & 0100) | 0600 : mode;
}

Result<void> WriteAll(int fd, const char* data, std::size_t size, const fs::path& path) {
  while (size > 0) {
    const ssize_t put = ::write(fd, data, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Fail(FileError("writing", path, errno));
    data += put;
    size -= static_cast<std::size_t>(put);
  }
  return {};
}

// Reads once: what is written is what was checked.
Result<void> Copy(const fs::path& from, const fs::path& to, const api::AppFile& file, const std::stop_token& stop) {
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return Fail(FileError("opening", from, errno));
  const fs::path partial = to.string() + ".partial";
  ::unlink(partial.c_str());
  Descriptor out(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return Fail(FileError("creating", partial, errno));
  crypto::Hasher hasher;
  std::array<char, 65536> buffer;  // NOLINT: filled by read
  Result<void> done{};
  for (;;) {
    const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) done = Fail(FileError("reading", from, errno));
    if (stop.stop_requested()) done = Fail(ErrorId::kInterrupted, "stopped");
    if (got <= 0 || !done) break;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    hasher.Update(AsBytes(piece));
    if (done = WriteAll(out.get(), piece.data(), piece.size(), partial); !done) break;
  }
  if (done && !SameDigest(hasher.Finish().ToString(), file.digest))
    done =
        Fail(ErrorId::kExecutableAltered, fmt::format("file {}: what is kept of it is not {}", file.path, file.digest));
  if (done && (::fchmod(out.get(), ModeOf(file)) != 0 || ::fsync(out.get()) != 0 || !out.Close()))
    done = Fail(FileError("writing", partial, errno));
  if (done && ::rename(partial.c_str(), to.c_str()) != 0) done = Fail(FileError("naming", to, errno));
  if (!done) ::unlink(partial.c_str());
  return done;
}

// A folder on the way to a file may have become a link meanwhile: the command may write there.
Result<void> CheckWay(const fs::path& folder, const fs::path& place) {
  fs::path at = folder;
  for (const auto& part : place.parent_path().lexically_relative(folder)) {
    if (part == ".") continue;
    at /= part;
    struct stat info {};
    if (::lstat(at.c_str(), &info) != 0) return {};
    if (!S_ISDIR(info.st_mode)) return Fail(ErrorId::kExecutableAltered, fmt::format("{}: not a folder", at.string()));
  }
  return {};
}

bool IsPlain(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

bool SameDigest(std::string_view a, std::string_view b) {
  const auto bare = [](std::string_view text) { return text.substr(text.find(':') + 1); };
  return !bare(a).empty() && bare(a) == bare(b);
}

fs::path PlaceOf(const fs::path& folder, const api::AppFile& file) {
  return file.path.starts_with('/') ? folder / "mounts" / file.path.substr(1) : folder / "work" / file.path;
}

Result<std::string> DigestOfFile(const fs::path& path) {
  const Descriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!in || ::fstat(in.get(), &info) != 0) return Fail(FileError("opening", path, errno));
  if (!S_ISREG(info.st_mode)) return Fail(ErrorId::kFileFailed, fmt::format("{}: not a file", path.string()));
  crypto::Hasher hasher;
  std::array<char, 65536> buffer;  // NOLINT: filled by read
  for (;;) {
    const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", path, errno));
    if (got == 0) return hasher.Finish().ToString();
    hasher.Update(AsBytes(std::string_view(buffer.data(), static_cast<std::size_t>(got))));
  }
}

Result<void> Deliver(const fs::path& folder, const api::Workload& workload, const ArtifactPaths& artifacts,
                     const std::stop_token& stop) {
  OTE_CHECK(MakeFolder(folder, 0700));
  OTE_CHECK(MakeFolder(folder / "work", 0700));
  OTE_CHECK(MakeFolder(folder / "tmp", 0700));
  for (const auto& file : workload.files) {
    const auto place = PlaceOf(folder, file);
    OTE_CHECK(CheckWay(folder, place));
    if (IsPlain(place)) {
      const auto digest = DigestOfFile(place);
      if (digest && SameDigest(*digest, file.digest)) continue;
    }
    const auto kept = artifacts.find(file.digest);
    if (kept == artifacts.end())
      return Fail(ErrorId::kNotFound, fmt::format("file {}: its content, {}, is not here", file.path, file.digest));
    OTE_CHECK(MakeFolder(place.parent_path(), 0700));
    OTE_CHECK(Copy(kept->second, place, file, stop));
  }
  return SyncFolder(folder);
}

fs::path ProgramOf(const fs::path& work, const api::Workload& workload) {
  const auto runs = [](const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
  };
  const auto& word = workload.command.front();
  if (word.find('/') != std::string::npos) {
    const auto path = word.starts_with('/') ? fs::path(word) : work / word;
    return runs(path) ? path : fs::path();
  }
  const auto given = workload.env.find("PATH");
  for (std::string_view rest = given == workload.env.end() ? kPath : std::string_view(given->second); !rest.empty();) {
    const auto end = std::min(rest.find(':'), rest.size());
    const auto path = work / fs::path(rest.substr(0, end)) / word;
    if (runs(path)) return path;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Result<void> CheckFiles(const fs::path& folder, const api::Workload& workload) {
  for (const auto& file : workload.files) {
    const auto place = PlaceOf(folder, file);
    OTE_CHECK(CheckWay(folder, place));
    if (!IsPlain(place)) return Fail(ErrorId::kExecutableAltered, fmt::format("file {}: it is gone", file.path));
    OTE_TRY(const auto digest, DigestOfFile(place));
    if (!SameDigest(digest, file.digest))
      return Fail(ErrorId::kExecutableAltered, fmt::format("file {}: it is not the one that was deployed", file.path));
  }
  const auto program = ProgramOf(folder / "work", workload);
  if (program.empty())
    return Fail(ErrorId::kProcessFailed,
                fmt::format("{}: there is no such program here, or it may not be run", workload.command.front()));
  if (workload.executable.empty()) return {};
  OTE_TRY(const auto digest, DigestOfFile(program));
  if (!SameDigest(digest, workload.executable))
    return Fail(ErrorId::kExecutableAltered,
                fmt::format("{}: it is {}, and {} was deployed", program.string(), digest, workload.executable));
  return {};
}

}  // namespace ote::agent::process
