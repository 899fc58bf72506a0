#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/base/descriptor.h"
#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/bundle/part_header.h"
#include "core/bundle/parts.h"

namespace ote::bundle {
namespace fs = std::filesystem;
namespace {

fs::path FolderOf(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

Result<void> WriteAt(int fd, const fs::path& path, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Fail(FileError("writing", path, errno));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

}  // namespace

struct Output::State {
  struct File {
    fs::path goal;
    fs::path temporary;
    Descriptor handle;
    std::uint64_t from = 0;  // of the whole
    std::uint64_t length = 0;
    std::uint64_t skip = 0;  // bytes in front
  };
  std::vector<File> files;
  bool placed = false;

  ~State() {
    if (placed) return;
    for (const auto& file : files) {
      if (!file.temporary.empty()) ::unlink(file.temporary.c_str());
    }
  }
};

Output::Output(std::unique_ptr<State> state) : state_(std::move(state)) {}
Output::Output(Output&&) noexcept = default;
Output::~Output() = default;

Result<Output> Output::Begin(const fs::path& path, std::uint64_t size, std::uint64_t split, ByteView which) {
  auto state = std::make_unique<State>();
  if (split == 0 || size <= split) {
    state->files.push_back({path, {}, {}, 0, size, 0});
  } else {
    if (split <= kPartHeader) return Fail(ErrorId::kUsage, "split: a part must have more than 64 bytes");
    const std::uint64_t each = split - kPartHeader;
    const std::uint64_t count = (size + each - 1) / each;
    if (count > kMostParts) {
      return Fail(ErrorId::kUsage, fmt::format("split: {} parts are more than {}", count, kMostParts),
                  "give larger parts");
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      fs::path goal = path;
      goal += fmt::format(".{:03}", i + 1);
      state->files.push_back({goal, {}, {}, i * each, std::min(each, size - i * each), kPartHeader});
    }
  }
  std::uint64_t needed = 0;
  for (const auto& file : state->files) needed += file.skip + file.length;
  OTE_TRY(const auto space, FreeSpace(FolderOf(path)));
  if (space < needed) {
    return Fail(ErrorId::kNoSpace, fmt::format("writing {}: it takes {}, and {} are free", path.string(),
                                               FormatSize(needed), FormatSize(space)));
  }
  std::uint32_t number = 0;
  for (auto& file : state->files) {
    ++number;
    const auto temporary = FolderOf(path) / fmt::format(".{}.{:016x}.tmp", file.goal.filename().string(), RandomU64());
    file.handle = Descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file.handle) return Fail(FileError("writing", file.goal, errno));
    file.temporary = temporary;
    if (file.skip == 0) continue;
    PartHeader header;
    std::copy_n(which.begin(), std::min(which.size(), header.which.size()), header.which.begin());
    header.number = number;
    header.count = static_cast<std::uint32_t>(state->files.size());
    header.offset = file.from;
    header.length = file.length;
    header.total = size;
    OTE_CHECK(WriteAt(file.handle.get(), file.goal, 0, Encode(header)));
  }
  return Output(std::move(state));
}

std::optional<fs::path> Output::Occupied() const {
  std::error_code ignored;
  for (const auto& file : state_->files) {
    if (fs::exists(file.goal, ignored)) return file.goal;
  }
  return {};
}

Result<void> Output::Write(std::uint64_t offset, ByteView bytes) {
  for (const auto& file : state_->files) {
    if (bytes.empty()) break;
    if (offset < file.from || offset - file.from >= file.length) continue;
    const auto within = offset - file.from;
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), file.length - within));
    OTE_CHECK(WriteAt(file.handle.get(), file.goal, file.skip + within, bytes.first(take)));
    bytes = bytes.subspan(take);
    offset += take;
  }
  if (!bytes.empty()) return Fail(ErrorId::kInternal, "a bundle got longer than it was to be");
  return {};
}

Result<std::vector<fs::path>> Output::Place() {
  for (auto& file : state_->files) {
    if (::fsync(file.handle.get()) != 0) return Fail(FileError("writing", file.goal, errno));
    if (!file.handle.Close()) return Fail(FileError("writing", file.goal, errno));
  }
  std::vector<fs::path> placed;
  // The first part has the header: it is in its place last.
  for (std::size_t i = state_->files.size(); i-- > 0;) {
    auto& file = state_->files[i];
    if (::rename(file.temporary.c_str(), file.goal.c_str()) != 0) return Fail(FileError("writing", file.goal, errno));
    file.temporary.clear();
    placed.insert(placed.begin(), file.goal);
  }
  state_->placed = true;
  OTE_CHECK(SyncFolder(FolderOf(state_->files.front().goal)));
  return placed;
}

}  // namespace ote::bundle
