#include "core/store/sealed_artifacts.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "crypto/keys.h"
#include "test/unit/store/scratch.h"

using namespace ote;
using store::Artifacts;

namespace {

const Bytes kContext = {1, 2, 3};

Bytes Plain(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return bytes;
}

// The most that this process had in memory.
std::int64_t PeakKib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6));
  }
  return 0;
}

struct Sealing {
  test::Scratch scratch;
  Artifacts artifacts = Artifacts::Open(scratch.path).value();
  crypto::TransportKey key = crypto::TransportKey::Generate();
  std::stop_source stop;

  api::SealedCopy Seal(const Bytes& plain) {
    return store::SealArtifact(artifacts, crypto::Sealer::To(key.Public(), kContext).value(), plain,
                               Durability::kSynced)
        .value();
  }
  Result<void> Open(const std::string& sealed, const Bytes& plain, const Bytes& context = kContext) {
    OTE_TRY(auto begun,
            store::BeginOpening(artifacts, sealed, crypto::DigestOf(plain).ToString(), std::ssize(plain),
                                [&](ByteView header) { return crypto::Opener::For(key, context, header); }));
    return store::FinishOpening(artifacts, std::move(begun), Durability::kSynced, stop.get_token());
  }
};

}  // namespace

TEST_CASE("what was sealed into an artifact opens into the artifact that it was, at every size") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, crypto::kSealedChunk - 1, crypto::kSealedChunk,
                                 crypto::kSealedChunk + 1, 3 * crypto::kSealedChunk, std::size_t{300'000}}) {
    INFO(size);
    Sealing s;
    const auto plain = Plain(size);
    const auto copy = s.Seal(plain);
    CHECK(copy.size == static_cast<std::int64_t>(crypto::SealedSize(size)));
    const auto sealed = s.artifacts.Get(copy.digest).value();
    CHECK(std::ssize(sealed) == copy.size);
    REQUIRE(s.Open(copy.digest, plain));
    CHECK(s.artifacts.Get(crypto::DigestOf(plain)).value() == plain);
    CHECK(s.artifacts.Has(copy.digest));
  }
}

TEST_CASE("a sealed artifact that does not open leaves nothing behind") {
  Sealing s;
  const auto plain = Plain(200'000);
  const auto copy = s.Seal(plain);
  CHECK(s.Open(copy.digest, plain, {9}).error().id == ErrorId::kSealBroken);
  const auto other = Plain(200'001);
  CHECK(s.Open(copy.digest, other).error().id == ErrorId::kSealBroken);  // another size
  auto same_size = plain;
  same_size.back() ^= 1;
  CHECK(s.Open(copy.digest, same_size).error().id == ErrorId::kUpdateDigest);
  // Altered in the middle, and cut at a chunk's end.
  auto sealed = s.artifacts.Get(copy.digest).value();
  sealed[sealed.size() / 2] ^= 1;
  CHECK(s.Open(s.artifacts.Put(sealed).value().ToString(), plain).error().id == ErrorId::kSealBroken);
  sealed[sealed.size() / 2] ^= 1;
  sealed.resize(crypto::kSealedHeader + crypto::kSealedChunk + crypto::kSealedTag);
  CHECK(s.Open(s.artifacts.Put(sealed).value().ToString(), Plain(crypto::kSealedChunk)).error().id ==
        ErrorId::kSealBroken);
  CHECK(s.Open(s.artifacts.Put(Plain(10)).value().ToString(), Plain(10)).error().id == ErrorId::kSealBroken);
  CHECK_FALSE(s.artifacts.Has(crypto::DigestOf(plain)));
  CHECK(std::filesystem::is_empty(s.scratch.path / "partial"));
}

TEST_CASE("an artifact that is opened leaves alone what has arrived of the same one") {
  Sealing s;
  const auto plain = Plain(200'000);
  const auto copy = s.Seal(plain);
  auto partial = s.artifacts.Begin(crypto::DigestOf(plain), plain.size()).value();
  REQUIRE(partial.Append(ByteView(plain).first(1000)));
  CHECK(s.Open(copy.digest, plain));
  CHECK(s.artifacts.Get(crypto::DigestOf(plain)).value() == plain);
  REQUIRE(partial.Append(ByteView(plain).subspan(1000)));
  CHECK(partial.Finish());
}

TEST_CASE("an artifact that nobody waits for any more is not opened, and leaves nothing behind") {
  Sealing s;
  const auto plain = Plain(200'000);
  const auto copy = s.Seal(plain);
  s.stop.request_stop();
  CHECK(s.Open(copy.digest, plain).error().id == ErrorId::kInterrupted);
  CHECK_FALSE(s.artifacts.Has(crypto::DigestOf(plain)));
  CHECK(std::filesystem::is_empty(s.scratch.path / "partial"));
}

TEST_CASE("opening takes the memory of a chunk, whatever the size of the artifact") {
  Sealing s;
  constexpr std::size_t kPieces = 64;
  std::string digest;
  api::SealedCopy copy;
  {
    const Bytes piece(1 << 20, 7);
    auto made = s.artifacts.Create(kPieces << 20).value();
    for (std::size_t i = 0; i < kPieces; ++i) REQUIRE(made.Append(piece));
    digest = made.Finish(Durability::kBestEffort).value().ToString();
    const auto mapped = s.artifacts.Map(digest, Artifacts::Check::kNothing).value();
    copy = store::SealArtifact(s.artifacts, crypto::Sealer::To(s.key.Public(), kContext).value(), mapped.View(),
                               Durability::kBestEffort)
               .value();
  }
  s.artifacts.Remove(digest);
  auto begun = store::BeginOpening(s.artifacts, copy.digest, digest, kPieces << 20,
                                   [&](ByteView header) { return crypto::Opener::For(s.key, kContext, header); });
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak is counted from here
  const auto before = PeakKib();
  REQUIRE(store::FinishOpening(s.artifacts, std::move(begun).value(), Durability::kBestEffort));
  CHECK(PeakKib() - before < 8 * 1024);
  CHECK(s.artifacts.Has(digest));
}

TEST_CASE("a new artifact goes by the digest of what was appended, and is gone when it is not finished") {
  Sealing s;
  const auto partials = s.scratch.path / "partial";
  {
    auto made = s.artifacts.Create(2000).value();
    REQUIRE(made.Append(Plain(1000)));
    CHECK_FALSE(std::filesystem::is_empty(partials));
  }
  CHECK(std::filesystem::is_empty(partials));
  auto made = s.artifacts.Create(2000).value();
  const auto plain = Plain(2000);
  REQUIRE(made.Append(ByteView(plain).first(700)));
  REQUIRE(made.Append(ByteView(plain).subspan(700)));
  CHECK(made.Finish(Durability::kSynced).value() == crypto::DigestOf(plain));
  CHECK(s.artifacts.Get(crypto::DigestOf(plain)).value() == plain);
  CHECK(made.Append(plain).error().id == ErrorId::kInternal);
  CHECK(s.artifacts.Create(std::uint64_t{1} << 60).error().id == ErrorId::kNoSpace);
  CHECK(std::filesystem::is_empty(partials));
}

TEST_CASE("what a crash left of a new artifact goes with the next start") {
  Sealing s;
  const auto left = s.scratch.path / "partial" / "0011223344556677.new";
  const auto arriving = s.scratch.path / "partial" / crypto::DigestOf(Plain(3)).Hex();
  for (const auto& file : {left, arriving}) REQUIRE(WriteFileAtomic(file, Plain(2)));
  REQUIRE(Artifacts::Open(s.scratch.path));
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(std::filesystem::exists(arriving));
}
