#include "core/store/artifacts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/base/files.h"
#include "core/store/partial.h"

namespace ote::store {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxArtifact = std::uint64_t{1} << 40;
constexpr std::size_t kPiece = 64 * 1024;

Error Missing(const crypto::Digest& digest) {
  return {ErrorId::kArtifactMissing, fmt::format("artifact {}: it is not here", digest.ToString()), {}};
}

// Opens an artifact for reading and tells its size.
Result<std::pair<Descriptor, std::uint64_t>> OpenFile(const fs::path& path, const crypto::Digest& digest) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return Fail(Missing(digest));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return Fail(FileError("reading", path, errno));
  return std::pair(std::move(file), static_cast<std::uint64_t>(info.st_size));
}

Error Damaged(const fs::path& path, const crypto::Digest& digest) {
  ::unlink(path.c_str());
  return {ErrorId::kArtifactCorrupt,
          fmt::format("artifact {}: the file did not have this digest and was removed", digest.ToString()),
          {}};
}

// The digest that a file of 62 hex digits in a folder of 2 goes by.
std::optional<crypto::Digest> DigestOfHex(const std::string& hex) {
  auto digest = crypto::Digest::Parse("blake2b:" + hex);
  if (!digest) return std::nullopt;
  return *digest;
}

bool IsHexPair(const std::string& name) {
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

// Calls `visit` for every file in the folders of two hex digits.
template <class Visit>
Result<void> ForEachFile(const fs::path& folder, Visit visit) {
  std::error_code error;
  for (fs::directory_iterator outer(folder, error), end; !error && outer != end; outer.increment(error)) {
    const std::string pair = outer->path().filename().string();
    if (!IsHexPair(pair)) continue;
    for (fs::directory_iterator inner(outer->path(), error); !error && inner != end; inner.increment(error)) {
      visit(pair, inner->path());
    }
  }
  if (error) return Fail(FileError("listing", folder, error.value()));
  return {};
}

}  // namespace

Result<void> MakeFolderOf(const fs::path& file) {
  const fs::path folder = file.parent_path();
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  OTE_CHECK(MakeFolder(folder, 0700));
  return SyncFolder(folder.parent_path());
}

MappedArtifact::MappedArtifact(MappedArtifact&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedArtifact& MappedArtifact::operator=(MappedArtifact&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
MappedArtifact::~MappedArtifact() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

fs::path Artifacts::FileOf(const crypto::Digest& digest) const {
  const std::string hex = digest.Hex();
  return folder_ / hex.substr(0, 2) / hex.substr(2);
}

fs::path Artifacts::PartialOf(const crypto::Digest& digest) const { return folder_ / "partial" / digest.Hex(); }

Result<Artifacts> Artifacts::Open(fs::path folder) {
  OTE_CHECK(MakeFolder(folder / "partial", 0700));
  OTE_CHECK(ForEachFile(folder, [](const std::string&, const fs::path& file) {
    if (file.filename().string().ends_with(".tmp")) ::unlink(file.c_str());
  }));
  std::error_code error;
  for (fs::directory_iterator it(folder / "partial", error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == kNewSuffix) ::unlink(it->path().c_str());
  }
  if (error) return Fail(FileError("listing", folder / "partial", error.value()));
  return Artifacts(std::move(folder));
}

Result<crypto::Digest> Artifacts::Put(ByteView bytes) {
  const crypto::Digest digest = crypto::DigestOf(bytes);
  const fs::path file = FileOf(digest);
  std::error_code error;
  // A file of another size was damaged; it is written anew.
  if (fs::file_size(file, error) == bytes.size() && !error) {
    // It may have come here with no promise that it stays.
    OTE_CHECK(SyncFile(file));
    OTE_CHECK(SyncFolder(file.parent_path()));
    return digest;
  }
  OTE_CHECK(MakeFolderOf(file));
  OTE_CHECK(WriteFileAtomic(file, bytes, 0600));
  return digest;
}

Result<void> Artifacts::Put(const ArtifactName& name, ByteView bytes) {
  OTE_TRY(const auto digest, name.Value());
  if (const auto got = crypto::DigestOf(bytes); got != digest) {
    return Fail(ErrorId::kArtifactCorrupt,
                fmt::format("artifact {}: its bytes have digest {}", digest.ToString(), got.ToString()));
  }
  OTE_CHECK(Put(bytes));
  return {};
}

Result<fs::path> Artifacts::PathOf(const ArtifactName& name) const {
  OTE_TRY(const auto digest, name.Value());
  if (!Has(name)) return Fail(Missing(digest));
  return FileOf(digest);
}

Result<Bytes> Artifacts::Get(const ArtifactName& name) {
  OTE_TRY(const auto digest, name.Value());
  const fs::path file = FileOf(digest);
  if (!Has(name)) return Fail(Missing(digest));
  OTE_TRY(auto bytes, ReadFile(file, kMaxArtifact));
  if (crypto::DigestOf(bytes) != digest) return Fail(Damaged(file, digest));
  return bytes;
}

Result<MappedArtifact> Artifacts::Map(const ArtifactName& name, Check check) {
  OTE_TRY(const auto digest, name.Value());
  const fs::path path = FileOf(digest);
  OTE_TRY(const auto opened, OpenFile(path, digest));
  const auto size = static_cast<std::size_t>(opened.second);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, opened.first.get(), 0);
    if (data == MAP_FAILED) return Fail(FileError("mapping", path, errno));
  }
  MappedArtifact mapped(static_cast<const std::uint8_t*>(data), size);
  if (check == Check::kDigest && crypto::DigestOf(mapped.View()) != digest) return Fail(Damaged(path, digest));
  return mapped;
}

Result<Bytes> Artifacts::ReadRange(const ArtifactName& name, std::uint64_t offset, std::uint64_t length) const {
  OTE_TRY(const auto digest, name.Value());
  const fs::path path = FileOf(digest);
  OTE_TRY(const auto opened, OpenFile(path, digest));
  const std::uint64_t size = opened.second;
  if (offset >= size) return Bytes();
  Bytes bytes(static_cast<std::size_t>(std::min(length, size - offset)));
  std::size_t used = 0;
  while (used < bytes.size()) {
    const ssize_t got =
        ::pread(opened.first.get(), bytes.data() + used, bytes.size() - used, static_cast<off_t>(offset + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", path, errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  bytes.resize(used);
  return bytes;
}

Result<std::uint64_t> Artifacts::Size(const ArtifactName& name) const {
  OTE_TRY(const auto digest, name.Value());
  struct stat info {};
  if (::stat(FileOf(digest).c_str(), &info) == 0) return static_cast<std::uint64_t>(info.st_size);
  if (errno == ENOENT) return Fail(Missing(digest));
  return Fail(FileError("reading", FileOf(digest), errno));
}

bool Artifacts::Has(const ArtifactName& name) const noexcept {
  return name.Value() && ::access(FileOf(*name.Value()).c_str(), F_OK) == 0;
}

bool Artifacts::Remove(const ArtifactName& name) {
  return name.Value() && ::unlink(FileOf(*name.Value()).c_str()) == 0;
}

void Artifacts::Abandon(const ArtifactName& name) {
  if (name.Value()) ::unlink(PartialOf(*name.Value()).c_str());
}

Result<std::vector<crypto::Digest>> Artifacts::List() const {
  std::vector<crypto::Digest> digests;
  OTE_CHECK(ForEachFile(folder_, [&digests](const std::string& pair, const fs::path& file) {
    if (const auto digest = DigestOfHex(pair + file.filename().string())) digests.push_back(*digest);
  }));
  std::sort(digests.begin(), digests.end());
  return digests;
}

Result<Partial> Artifacts::Begin(const ArtifactName& name, std::uint64_t size) {
  OTE_TRY(const auto digest, name.Value());
  auto state = std::make_unique<Partial::State>();
  state->path = PartialOf(digest);
  state->goal = FileOf(digest);
  state->digest = digest;
  state->size = size;
  state->file = Descriptor(::open(state->path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info {};
  if (!state->file || ::fstat(state->file.get(), &info) != 0) return Fail(FileError("writing", state->path, errno));
  auto there = static_cast<std::uint64_t>(info.st_size);
  if (there > size) {
    if (::ftruncate(state->file.get(), 0) != 0) return Fail(FileError("writing", state->path, errno));
    there = 0;
  }
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(there, kPiece)));
  while (state->offset < there) {
    const ssize_t got = ::pread(state->file.get(), piece.data(), piece.size(), static_cast<off_t>(state->offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", state->path, errno));
    if (got == 0) break;
    state->hasher.Update(ByteView(piece).first(static_cast<std::size_t>(got)));
    state->offset += static_cast<std::uint64_t>(got);
  }
  OTE_TRY(const auto free, FreeSpace(folder_));
  if (const std::uint64_t wanted = size - state->offset; wanted > free) {
    return Fail(ErrorId::kNoSpace, fmt::format("artifact {}: {} bytes are needed in {}, and {} are free",
                                               digest.ToString(), wanted, folder_.string(), free));
  }
  return Partial(std::move(state));
}

Result<std::uint64_t> Artifacts::CollectExcept(const std::set<crypto::Digest>& keep) {
  std::uint64_t freed = 0;
  const auto drop = [&freed](const fs::path& file) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (!error && ::unlink(file.c_str()) == 0) freed += size;
  };
  OTE_TRY(const auto digests, List());
  for (const auto& digest : digests) {
    if (!keep.contains(digest)) drop(FileOf(digest));
  }
  std::error_code error;
  for (fs::directory_iterator it(folder_ / "partial", error), end; !error && it != end; it.increment(error)) {
    const auto digest = DigestOfHex(it->path().filename().string());
    if (!digest || !keep.contains(*digest)) drop(it->path());
  }
  if (error) return Fail(FileError("listing", folder_ / "partial", error.value()));
  return freed;
}

}  // namespace ote::store
