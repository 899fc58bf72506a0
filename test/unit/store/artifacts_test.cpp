#include "core/store/artifacts.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "core/base/files.h"
#include "test/unit/store/scratch.h"

namespace fs = std::filesystem;
using ote::AsBytes;
using ote::Bytes;
using ote::ErrorId;
using ote::crypto::Digest;
using ote::crypto::DigestOf;
using ote::store::Artifacts;
using ote::test::Scratch;
using ote::test::SmallDisk;

namespace {

Artifacts Open(const fs::path& folder) {
  auto artifacts = Artifacts::Open(folder);
  if (!artifacts) FAIL(artifacts.error().message);
  return std::move(*artifacts);
}
fs::path FileOf(const fs::path& folder, const Digest& digest) {
  return folder / digest.Hex().substr(0, 2) / digest.Hex().substr(2);
}
Bytes Pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return bytes;
}
ote::ByteView Cut(const Bytes& bytes, std::size_t from, std::size_t count) {
  return ote::ByteView(bytes).subspan(from, count);
}

}  // namespace

TEST_CASE("an artifact goes by the digest of its content, by value or by text") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path / "artifacts");
  const Bytes content = Pattern(100'000);
  const Digest digest = artifacts.Put(content).value();
  CHECK(digest == DigestOf(content));
  CHECK(artifacts.Put(content).value() == digest);
  CHECK(artifacts.Has(digest));
  CHECK(artifacts.Has(digest.ToString()));
  CHECK(artifacts.Get(digest.ToString()).value() == content);
  CHECK(artifacts.Size(digest).value() == 100'000);
  CHECK(artifacts.List().value() == std::vector<Digest>{digest});
  CHECK(fs::exists(FileOf(scratch.path / "artifacts", digest)));
  CHECK(artifacts.Remove(digest));
  CHECK_FALSE(artifacts.Remove(digest));
  CHECK_FALSE(artifacts.Has(digest));
  CHECK(artifacts.Get(digest).error().id == ErrorId::kArtifactMissing);
  CHECK(artifacts.Map(digest).error().id == ErrorId::kArtifactMissing);
  CHECK(artifacts.ReadRange(digest, 0, 1).error().id == ErrorId::kArtifactMissing);
  CHECK(artifacts.Size(digest).error().id == ErrorId::kArtifactMissing);
}

TEST_CASE("a name that is no digest is refused and reaches no file") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  for (const char* name : {"", "../../etc/passwd", "blake2b:", "blake2b:../x", "sha256:00"}) {
    CHECK(artifacts.Get(name).error().id == ErrorId::kMalformed);
    CHECK(artifacts.Begin(name, 1).error().id == ErrorId::kMalformed);
    CHECK_FALSE(artifacts.Has(name));
    CHECK_FALSE(artifacts.Remove(name));
  }
}

TEST_CASE("bytes that do not have the digest they are given under are not kept") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Digest digest = DigestOf(AsBytes("right"));
  CHECK(artifacts.Put(digest, AsBytes("wrong")).error().id == ErrorId::kArtifactCorrupt);
  CHECK_FALSE(artifacts.Has(digest));
  REQUIRE(artifacts.Put(digest.ToString(), AsBytes("right")).has_value());
  CHECK(artifacts.Has(digest));
}

TEST_CASE("ranges are cut at the end") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Bytes content = Pattern(1000);
  const Digest digest = artifacts.Put(content).value();
  CHECK(artifacts.ReadRange(digest, 0, 1000).value() == content);
  CHECK(artifacts.ReadRange(digest, 990, 100).value() == Bytes(content.begin() + 990, content.end()));
  CHECK(artifacts.ReadRange(digest, 1000, 1).value().empty());
  CHECK(artifacts.ReadRange(digest, UINT64_MAX, UINT64_MAX).value().empty());
  CHECK(artifacts.ReadRange(digest, 5, 0).value().empty());
}

TEST_CASE("a mapped artifact stays readable after it is removed") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Bytes content = Pattern(10'000);
  const Digest digest = artifacts.Put(content).value();
  auto mapped = artifacts.Map(digest);
  REQUIRE(mapped.has_value());
  CHECK(artifacts.Remove(digest));
  const auto moved = std::move(*mapped);
  CHECK(Bytes(moved.View().begin(), moved.View().end()) == content);
  const Digest empty = artifacts.Put({}).value();
  CHECK(artifacts.Map(empty).value().View().empty());
  CHECK(artifacts.Get(empty).value().empty());
}

TEST_CASE("a damaged artifact is told once, and missing after, so that it can be fetched anew") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Bytes content = Pattern(5000);
  const Digest digest = artifacts.Put(content).value();
  const fs::path file = FileOf(scratch.path, digest);
  fs::resize_file(file, 4096);
  CHECK(artifacts.Get(digest).error().id == ErrorId::kArtifactCorrupt);
  CHECK(artifacts.Get(digest).error().id == ErrorId::kArtifactMissing);
  REQUIRE(artifacts.Put(content).has_value());
  Bytes flipped = content;
  flipped[77] ^= 1;
  REQUIRE(ote::WriteFileAtomic(file, flipped).has_value());
  CHECK(artifacts.Map(digest).error().id == ErrorId::kArtifactCorrupt);
  CHECK_FALSE(artifacts.Has(digest));
  // A torn one is written over.
  REQUIRE(ote::WriteFileAtomic(file, AsBytes("torn")).has_value());
  REQUIRE(artifacts.Put(content).has_value());
  CHECK(artifacts.Get(digest).value() == content);
}

TEST_CASE("what a killed process left half written is gone at the next start") {
  const Scratch scratch;
  Open(scratch.path);
  fs::create_directories(scratch.path / "ab");
  REQUIRE(ote::WriteFileAtomic(scratch.path / "ab" / ".cd.0123.tmp", AsBytes("half")).has_value());
  Artifacts artifacts = Open(scratch.path);
  CHECK(fs::is_empty(scratch.path / "ab"));
  CHECK(artifacts.List().value().empty());
}

TEST_CASE("an artifact that arrives in pieces is there when the last one is") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Bytes content = Pattern(200'000);
  const Digest digest = DigestOf(content);
  auto partial = artifacts.Begin(digest, content.size()).value();
  CHECK(partial.Offset() == 0);
  REQUIRE(partial.Append(Cut(content, 0, 150'000)).has_value());
  CHECK(partial.Finish().error().id == ErrorId::kMalformed);
  CHECK_FALSE(artifacts.Has(digest));
  REQUIRE(partial.Append(Cut(content, 150'000, 50'000)).has_value());
  CHECK(partial.Append(AsBytes("x")).error().id == ErrorId::kMalformed);
  REQUIRE(partial.Finish().has_value());
  CHECK(artifacts.Get(digest).value() == content);
  CHECK(fs::is_empty(scratch.path / "partial"));
  CHECK(partial.Finish().error().id == ErrorId::kInternal);
  CHECK(partial.Append(AsBytes("x")).error().id == ErrorId::kInternal);
}

TEST_CASE("a partial artifact goes on where it was, also in another process") {
  const Scratch scratch;
  const Bytes content = Pattern(300'000);
  const Digest digest = DigestOf(content);
  {
    Artifacts artifacts = Open(scratch.path);
    auto partial = artifacts.Begin(digest, content.size()).value();
    REQUIRE(partial.Append(Cut(content, 0, 123'456)).has_value());
  }
  Artifacts artifacts = Open(scratch.path);
  auto partial = artifacts.Begin(digest, content.size()).value();
  CHECK(partial.Offset() == 123'456);
  CHECK(partial.Size() == 300'000);
  REQUIRE(partial.Append(Cut(content, 123'456, 176'544)).has_value());
  REQUIRE(partial.Finish().has_value());
  CHECK(artifacts.Get(digest).value() == content);
}

TEST_CASE("pieces that add up to something else are dropped") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Digest digest = DigestOf(AsBytes("right"));
  auto partial = artifacts.Begin(digest, 5).value();
  REQUIRE(partial.Append(AsBytes("wrong")).has_value());
  CHECK(partial.Finish().error().id == ErrorId::kArtifactCorrupt);
  CHECK_FALSE(artifacts.Has(digest));
  CHECK(artifacts.Begin(digest, 5).value().Offset() == 0);
}

TEST_CASE("a partial that is larger than what is announced now is begun anew, and one can be dropped") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Digest digest = DigestOf(AsBytes("right"));
  REQUIRE(artifacts.Begin(digest, 100).value().Append(Bytes(50, 1)).has_value());
  auto partial = artifacts.Begin(digest, 5).value();
  CHECK(partial.Offset() == 0);
  REQUIRE(partial.Append(AsBytes("ri")).has_value());
  partial.Discard();
  CHECK(fs::is_empty(scratch.path / "partial"));
}

TEST_CASE("an artifact that the disk has no room for is refused before it is sent") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  CHECK(artifacts.Begin(DigestOf(AsBytes("x")), UINT64_MAX).error().id == ErrorId::kNoSpace);
}

TEST_CASE("a disk that fills up while pieces arrive costs the piece, not what was there") {
  const Scratch scratch;
  const SmallDisk disk(scratch.path, "size=256k");
  if (!disk.mounted) {
    WARN("skipped: a tmpfs cannot be mounted here");
    return;
  }
  Artifacts artifacts = Open(scratch.path);
  const Bytes content = Pattern(150'000);
  auto partial = artifacts.Begin(DigestOf(content), content.size()).value();
  REQUIRE(partial.Append(Cut(content, 0, 50'000)).has_value());
  const fs::path filler = scratch.path / "filler";
  REQUIRE(ote::WriteFileAtomic(filler, Bytes(150'000, 1)).has_value());
  CHECK(partial.Append(Cut(content, 50'000, 100'000)).error().id == ErrorId::kNoSpace);
  CHECK(partial.Offset() == 50'000);
  CHECK(artifacts.Put(Pattern(200'000)).error().id == ErrorId::kNoSpace);
  fs::remove(filler);
  REQUIRE(partial.Append(Cut(content, 50'000, 100'000)).has_value());
  REQUIRE(partial.Finish().has_value());
  CHECK(artifacts.Get(DigestOf(content)).value() == content);
}

TEST_CASE("collecting keeps what is named and frees the rest") {
  const Scratch scratch;
  Artifacts artifacts = Open(scratch.path);
  const Digest kept = artifacts.Put(Pattern(100)).value();
  const Digest dropped = artifacts.Put(Pattern(200)).value();
  REQUIRE(artifacts.Begin(DigestOf(AsBytes("wanted")), 6).value().Append(AsBytes("wan")).has_value());
  REQUIRE(artifacts.Begin(DigestOf(AsBytes("forgotten")), 9).value().Append(AsBytes("forg")).has_value());
  CHECK(artifacts.CollectExcept({kept, DigestOf(AsBytes("wanted"))}).value() == 204);
  CHECK(artifacts.Has(kept));
  CHECK_FALSE(artifacts.Has(dropped));
  CHECK(artifacts.Begin(DigestOf(AsBytes("wanted")), 6).value().Offset() == 3);
}
