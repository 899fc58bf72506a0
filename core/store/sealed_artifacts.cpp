#include "core/store/sealed_artifacts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace ote::store {

using crypto::kSealedChunk;
using crypto::kSealedHeader;
using crypto::kSealedTag;

namespace {

// As many bytes as `out` takes, from where the file was read to.
Result<void> ReadNext(const Descriptor& file, std::span<std::uint8_t> out, const std::string& name) {
  while (!out.empty()) {
    const ssize_t got = ::read(file.get(), out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", "artifact " + name, errno));
    if (got == 0) return Fail(ErrorId::kSealBroken, fmt::format("artifact {}: it is shorter than it was", name));
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

}  // namespace

Result<api::SealedCopy> SealArtifact(const Artifacts& artifacts, crypto::Sealer sealer, ByteView plain,
                                     Durability durability) {
  const auto size = crypto::SealedSize(plain.size());
  OTE_TRY(auto made, artifacts.Create(size));
  OTE_CHECK(made.Append(sealer.Header()));
  Bytes chunk(std::min(plain.size(), kSealedChunk) + kSealedTag);
  for (bool last = false; !last;) {
    const std::size_t length = std::min(plain.size(), kSealedChunk);
    last = length == plain.size();
    const auto out = std::span(chunk).first(length + kSealedTag);
    sealer.Next(plain.first(length), last, out);
    OTE_CHECK(made.Append(out));
    plain = plain.subspan(length);
  }
  OTE_TRY(const auto digest, made.Finish(durability));
  return api::SealedCopy{digest.ToString(), static_cast<std::int64_t>(size)};
}

Result<Opening> BeginOpening(const Artifacts& artifacts, const std::string& sealed, const std::string& plain,
                             std::int64_t size, const MakeOpener& make_opener) {
  OTE_TRY(const auto path, artifacts.PathOf(sealed));
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return Fail(FileError("reading", path, errno));
  OTE_TRY(const auto inside, crypto::PlainSize(static_cast<std::uint64_t>(info.st_size)));
  if (!std::cmp_equal(inside, size)) {
    return Fail(ErrorId::kSealBroken, fmt::format("{} bytes are sealed in it, and {} were announced", inside, size));
  }
  Bytes header(kSealedHeader);
  OTE_CHECK(ReadNext(file, header, sealed));
  OTE_TRY(auto opener, make_opener(header));
  return Opening{std::move(file), inside, std::move(opener), sealed, plain};
}

Result<void> FinishOpening(const Artifacts& artifacts, Opening opening, Durability durability,
                           const std::stop_token& stop) {
  OTE_TRY(const auto wanted, crypto::Digest::Parse(opening.plain));
  OTE_TRY(auto made, artifacts.Create(opening.size));
  const std::uint64_t chunks = crypto::SealedChunks(opening.size);
  std::uint64_t left = opening.size;
  Bytes chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, kSealedChunk)) + kSealedTag);
  for (std::uint64_t index = 0; index < chunks; ++index) {
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "it is not wanted any more");
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left, kSealedChunk));
    const auto sealed = std::span(chunk).first(length + kSealedTag);
    const auto plain = sealed.first(length);
    OTE_CHECK(ReadNext(opening.file, sealed, opening.sealed));
    OTE_CHECK(opening.opener.Open(index, index + 1 == chunks, sealed, plain));
    OTE_CHECK(made.Append(plain));
    left -= length;
  }
  auto finished = made.FinishAs(wanted, durability);
  if (!finished && finished.error().id == ErrorId::kArtifactCorrupt) {
    return Fail(ErrorId::kUpdateDigest, fmt::format("artifact {}: what was sealed has another digest", opening.plain));
  }
  return finished;
}

}  // namespace ote::store
