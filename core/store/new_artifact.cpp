#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/store/artifacts.h"
#include "core/store/partial.h"

namespace ote::store {
namespace fs = std::filesystem;

struct NewArtifact::State {
  const Artifacts* home;
  Descriptor file;
  fs::path path;
  crypto::Hasher hasher;
};

NewArtifact::NewArtifact(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
NewArtifact::NewArtifact(NewArtifact&&) noexcept = default;
NewArtifact& NewArtifact::operator=(NewArtifact&&) noexcept = default;
NewArtifact::~NewArtifact() {
  if (state_) ::unlink(state_->path.c_str());
}

Result<NewArtifact> Artifacts::Create(std::uint64_t size) const {
  OTE_TRY(const auto free, FreeSpace(folder_));
  if (size > free) {
    return Fail(ErrorId::kNoSpace,
                fmt::format("an artifact: {} bytes are needed in {}, and {} are free", size, folder_.string(), free));
  }
  auto state = std::make_unique<NewArtifact::State>();
  state->home = this;
  state->path = folder_ / "partial" / fmt::format("{:016x}{}", RandomU64(), kNewSuffix);
  state->file = Descriptor(::open(state->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!state->file) return Fail(FileError("writing", state->path, errno));
  return NewArtifact(std::move(state));
}

Result<void> NewArtifact::Append(ByteView piece) {
  if (!state_) return Fail(ErrorId::kInternal, "a new artifact is appended to after its end");
  state_->hasher.Update(piece);
  while (!piece.empty()) {
    const ssize_t put = ::write(state_->file.get(), piece.data(), piece.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Fail(FileError("writing", state_->path, errno));
    piece = piece.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<crypto::Digest> NewArtifact::Finish(Durability durability) { return Place(nullptr, durability); }

Result<void> NewArtifact::FinishAs(const crypto::Digest& digest, Durability durability) {
  OTE_CHECK(Place(&digest, durability));
  return {};
}

Result<crypto::Digest> NewArtifact::Place(const crypto::Digest* wanted, Durability durability) {
  if (!state_) return Fail(ErrorId::kInternal, "a new artifact is finished twice");
  const NewArtifact last(std::move(state_));  // unlinks it when it does not get to its place
  State& state = *last.state_;
  const auto digest = state.hasher.Finish();
  if (wanted != nullptr && digest != *wanted) {
    return Fail(ErrorId::kArtifactCorrupt,
                fmt::format("artifact {}: what was made has digest {}", wanted->ToString(), digest.ToString()));
  }
  const fs::path goal = state.home->FileOf(digest);
  OTE_CHECK(MakeFolderOf(goal));
  const bool synced = durability == Durability::kSynced;
  if (synced && ::fsync(state.file.get()) != 0) return Fail(FileError("writing", state.path, errno));
  if (!state.file.Close()) return Fail(FileError("writing", state.path, errno));
  if (::rename(state.path.c_str(), goal.c_str()) != 0) return Fail(FileError("writing", goal, errno));
  if (synced) OTE_CHECK(SyncFolder(goal.parent_path()));
  return digest;
}

}  // namespace ote::store
