#include "core/store/sealed_artifacts.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote::store {

using crypto::kSealedChunk;
using crypto::kSealedHeader;
using crypto::kSealedTag;

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

Result<void> OpenArtifact(Artifacts& artifacts, const std::string& sealed, const std::string& plain, std::int64_t size,
                          const MakeOpener& make_opener, Durability durability) {
  OTE_TRY(const auto mapped, artifacts.Map(sealed, Artifacts::Check::kNothing));
  ByteView rest = mapped.View();
  OTE_TRY(const auto inside, crypto::PlainSize(rest.size()));
  if (!std::cmp_equal(inside, size)) {
    return Fail(ErrorId::kSealBroken, fmt::format("{} bytes are sealed in it, and {} were announced", inside, size));
  }
  OTE_TRY(auto opener, make_opener(rest.first(kSealedHeader)));
  rest = rest.subspan(kSealedHeader);
  OTE_TRY(auto partial, artifacts.Begin(plain, inside));
  if (partial.Offset() > 0) {
    // Left by a crash. It is opened from its beginning, so that every byte of it was checked here.
    partial.Discard();
    OTE_TRY(partial, artifacts.Begin(plain, inside));
  }
  Bytes chunk(std::min<std::size_t>(rest.size(), kSealedChunk + kSealedTag));
  for (std::uint64_t index = 0; !rest.empty(); ++index) {
    const std::size_t length = std::min(rest.size(), kSealedChunk + kSealedTag);
    const auto out = std::span(chunk).first(length - kSealedTag);
    auto written = opener.Open(index, length == rest.size(), rest.first(length), out);
    if (written) written = partial.Append(out);
    if (!written) {
      partial.Discard();
      return written;
    }
    rest = rest.subspan(length);
  }
  auto finished = partial.Finish(durability);
  if (!finished && finished.error().id == ErrorId::kArtifactCorrupt) {
    return Fail(ErrorId::kUpdateDigest, fmt::format("artifact {}: what was sealed has another digest", plain));
  }
  return finished;
}

}  // namespace ote::store
