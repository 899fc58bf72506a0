#include "core/store/partial.h"

#include <fmt/format.h>

#include <cerrno>

#include "core/base/files.h"

namespace ote::store {

Partial::Partial(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Partial::Partial(Partial&&) noexcept = default;
Partial& Partial::operator=(Partial&&) noexcept = default;
Partial::~Partial() = default;

std::uint64_t Partial::Offset() const noexcept { return state_ ? state_->offset : 0; }
std::uint64_t Partial::Size() const noexcept { return state_ ? state_->size : 0; }

Result<void> Partial::Append(ByteView piece) {
  if (!state_) return Fail(ErrorId::kInternal, "a partial artifact is appended to after its end");
  State& state = *state_;
  if (piece.size() > state.size - state.offset) {
    return Fail(ErrorId::kMalformed, fmt::format("artifact {}: {} bytes were sent after {} of {}",
                                                 state.digest.ToString(), piece.size(), state.offset, state.size));
  }
  std::size_t written = 0;
  while (written < piece.size()) {
    const ssize_t put = ::pwrite(state.file.get(), piece.data() + written, piece.size() - written,
                                 static_cast<off_t>(state.offset + written));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      // What was written of this piece is not counted; a later Begin must not count it either.
      if (::ftruncate(state.file.get(), static_cast<off_t>(state.offset)) != 0) Discard();
      return Fail(FileError("writing", state.path, error));
    }
    written += static_cast<std::size_t>(put);
  }
  state.hasher.Update(piece);
  state.offset += piece.size();
  return {};
}

Result<void> Partial::Finish(Durability durability) {
  if (!state_) return Fail(ErrorId::kInternal, "a partial artifact is finished twice");
  if (state_->offset != state_->size) {
    return Fail(ErrorId::kMalformed, fmt::format("artifact {}: {} bytes of {} have arrived", state_->digest.ToString(),
                                                 state_->offset, state_->size));
  }
  const auto state = std::move(state_);
  if (const crypto::Digest got = state->hasher.Finish(); got != state->digest) {
    ::unlink(state->path.c_str());
    return Fail(ErrorId::kArtifactCorrupt,
                fmt::format("artifact {}: what arrived has digest {}", state->digest.ToString(), got.ToString()));
  }
  OTE_CHECK(MakeFolderOf(state->goal));
  const bool synced = durability == Durability::kSynced;
  if (synced && ::fsync(state->file.get()) != 0) return Fail(FileError("writing", state->path, errno));
  if (!state->file.Close()) return Fail(FileError("writing", state->path, errno));
  if (::rename(state->path.c_str(), state->goal.c_str()) != 0) return Fail(FileError("writing", state->goal, errno));
  return synced ? SyncFolder(state->goal.parent_path()) : Result<void>();
}

void Partial::Discard() noexcept {
  if (!state_) return;
  ::unlink(state_->path.c_str());
  state_.reset();
}

}  // namespace ote::store
