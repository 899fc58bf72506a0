// Bundles: what is packed comes out again, and nothing that was altered, cut or blown up does.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/files.h"
#include "core/bundle/open.h"
#include "core/bundle/pack.h"
#include "core/bundle/trust.h"
#include "core/bundle/zstd.h"
#include "crypto/sealed.h"

namespace ote::bundle {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "ote-bundle-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

crypto::SigningKey Signer() { return crypto::SigningKey::FromSeed(Bytes(32, 1)).value(); }
crypto::TransportKey Receiver() { return crypto::TransportKey::FromSecret(Bytes(32, 2)).value(); }

Bytes KeyBytes(const std::array<std::uint8_t, 32>& key) { return {key.begin(), key.end()}; }

Bytes Noise(std::size_t size) {
  Bytes bytes(size);
  std::uint64_t x = 88172645463325252ULL;
  for (auto& byte : bytes) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    byte = static_cast<std::uint8_t>(x);
  }
  return bytes;
}

Package Sample(const Bytes& artifact, bool sealed = true) {
  Package package;
  package.header.kind = "task";
  package.header.issuer = "hq";
  package.header.receiver = "clinic-c";
  package.header.stream = "run-1";
  package.header.sequence = 7;
  package.header.created = 1234;
  if (sealed) package.header.receiver_key = KeyBytes(Receiver().Public().bytes);
  package.body = {{"hello", "there"}};
  package.contents.push_back(ContentOf(artifact));
  return package;
}

struct Unpacked {
  Json body;
  Bytes artifact;
};
Result<Unpacked> Unpack(Bundle& bundle, const crypto::TransportKey* key) {
  Unpacked out;
  OTE_CHECK(bundle.Unpack(
      key,
      [&](const Manifest& manifest, ByteView) -> Result<void> {
        out.body = manifest.body;
        return {};
      },
      [&](const Item&, std::uint64_t offset, ByteView piece) -> Result<void> {
        REQUIRE(offset == out.artifact.size());
        out.artifact.insert(out.artifact.end(), piece.begin(), piece.end());
        return {};
      }));
  return out;
}

void Overwrite(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("what is packed is unpacked by its receiver, and by nobody else") {
  crypto::Init();
  const Folder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536}, std::size_t{3'000'001}}) {
    const Bytes artifact = Noise(size);
    const auto path = folder.path / std::to_string(size);
    const auto packed = Pack(Sample(artifact), Signer(), {path});
    REQUIRE(packed);
    CHECK(packed->size == fs::file_size(path));
    auto bundle = Bundle::Open(path);
    REQUIRE(bundle);
    CHECK(bundle->Digest() == packed->digest);
    CHECK(bundle->About().sequence == 7);
    CHECK(bundle->Check()->Whole());
    const auto key = Receiver();
    const auto out = Unpack(*bundle, &key);
    REQUIRE(out);
    CHECK(out->artifact == artifact);
    CHECK(out->body["hello"] == "there");
    const auto other = crypto::TransportKey::Generate();
    CHECK(Unpack(*bundle, &other).error().id == ErrorId::kBundleReceiver);
    CHECK(bundle->OpenManifest(&key)->first.items.size() == 1);
  }
}

TEST_CASE("the same content makes the same bundle, and packing it again says that it is there") {
  crypto::Init();
  const Folder folder;
  const Bytes artifact = Noise(200'000);
  REQUIRE(Pack(Sample(artifact), Signer(), {folder.path / "a"}));
  REQUIRE(Pack(Sample(artifact), Signer(), {folder.path / "b"}));
  CHECK(ReadFile(folder.path / "a").value() == ReadFile(folder.path / "b").value());
  CHECK(Pack(Sample(artifact), Signer(), {folder.path / "a"})->already);
  CHECK(Pack(Sample(Noise(5)), Signer(), {folder.path / "a"}).error().id == ErrorId::kConflict);
  CHECK(ReadFile(folder.path / "a").value() == ReadFile(folder.path / "b").value());
  // Nothing is left beside it.
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 2);
}

TEST_CASE("every byte of a bundle that is altered is noticed, and nothing of it is given out") {
  crypto::Init();
  const Folder folder;
  const auto path = folder.path / "x";
  const Bytes artifact(3000, 5);
  REQUIRE(Pack(Sample(artifact), Signer(), {path}));
  const Bytes good = ReadFile(path).value();
  const auto key = Receiver();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 1;
    auto bundle = Bundle::Open(OpenMemory(bad));
    if (!bundle) continue;
    const auto state = bundle->Check();
    REQUIRE(state);
    INFO("byte " << i);
    CHECK_FALSE(state->Whole());
    bool given = false;
    const auto out = bundle->Unpack(
        &key,
        [&](const Manifest&, ByteView) -> Result<void> {
          given = true;
          return {};
        },
        [](const Item&, std::uint64_t, ByteView) -> Result<void> { return {}; });
    CHECK_FALSE(out);
    CHECK_FALSE(given);
  }
}

TEST_CASE("a copy that broke off is found at a chunk, and told where it can go on") {
  crypto::Init();
  const Folder folder;
  const auto path = folder.path / "x";
  REQUIRE(Pack(Sample(Noise(3'500'000)), Signer(), {path}));
  const auto whole = fs::file_size(path);
  fs::resize_file(path, whole - 1'600'000);
  auto bundle = Bundle::Open(path);
  REQUIRE(bundle);
  const auto state = bundle->Check();
  REQUIRE(state);
  CHECK(state->broken_off);
  CHECK(state->size == whole);
  CHECK(state->good_until <= fs::file_size(path));
  CHECK(state->good_until > fs::file_size(path) - kChunk);
  CHECK(Judge(*state, path).error().id == ErrorId::kBundleTruncated);
  fs::resize_file(path, 100);
  CHECK(Bundle::Open(path).error().id == ErrorId::kBundleTruncated);
}

TEST_CASE("parts are found in any order and under any name, and those that are missing or damaged are told") {
  crypto::Init();
  const Folder folder;
  const auto path = folder.path / "x";
  const Bytes artifact = Noise(5'000'000);
  const auto packed = Pack(Sample(artifact), Signer(), {path, 1'500'000});
  REQUIRE(packed);
  REQUIRE(packed->files.size() == 4);
  CHECK(packed->files[0].filename() == "x.001");
  for (const auto& file : packed->files) CHECK(fs::file_size(file) <= 1'500'000);
  const auto key = Receiver();
  for (const auto& from : {path, packed->files[2]}) {
    auto bundle = Bundle::Open(from);
    REQUIRE(bundle);
    CHECK(Unpack(*bundle, &key)->artifact == artifact);
  }
  CHECK(Pack(Sample(artifact), Signer(), {path, 1'500'000})->already);
  CHECK(Pack(Sample(Noise(3'000'000)), Signer(), {path, 1'500'000}).error().id == ErrorId::kConflict);

  fs::rename(packed->files[3], folder.path / "LAST~1.BIN");
  {
    auto bundle = Bundle::Open(packed->files[0]);
    CHECK(bundle->Check()->Whole());
  }
  fs::rename(packed->files[1], folder.path.string() + "-away");
  {
    auto bundle = Bundle::Open(packed->files[0]);
    REQUIRE(bundle);
    const auto state = bundle->Check();
    CHECK(state->missing == std::vector<std::uint32_t>{2});
    const auto judged = Judge(*state, path);
    CHECK(judged.error().id == ErrorId::kBundlePartMissing);
    CHECK(Unpack(*bundle, &key).error().id == ErrorId::kBundlePartMissing);
  }
  fs::rename(folder.path.string() + "-away", packed->files[1]);
  Bytes third = ReadFile(packed->files[2]).value();
  third[100'000] ^= 4;
  Overwrite(packed->files[2], third);
  {
    auto bundle = Bundle::Open(packed->files[0]);
    const auto state = bundle->Check();
    CHECK(state->damaged.size() == 1);
    CHECK(Judge(*state, path).error().id == ErrorId::kBundleAltered);
  }
  fs::remove(packed->files[0]);
  CHECK(Bundle::Open(packed->files[2]).error().id == ErrorId::kBundlePartMissing);
}

TEST_CASE("what follows after the end of a bundle is refused as larger than declared") {
  crypto::Init();
  const Folder folder;
  const auto path = folder.path / "x";
  REQUIRE(Pack(Sample(Noise(10)), Signer(), {path}));
  Bytes bytes = ReadFile(path).value();
  bytes.push_back(0);
  auto bundle = Bundle::Open(OpenMemory(bytes));
  REQUIRE(bundle);
  CHECK(Judge(*bundle->Check(), path).error().id == ErrorId::kBundleLarger);
  const auto key = Receiver();
  CHECK(Unpack(*bundle, &key).error().id == ErrorId::kBundleLarger);
}

TEST_CASE("content that unpacks to more than its signed header declares is refused before it is given out") {
  crypto::Init();
  // Made by hand: the frame of a megabyte of zeros, under a header that declares less.
  Bytes frame;
  Compressor compressor([&](ByteView bytes) -> Result<void> {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
    return {};
  });
  Manifest manifest;
  manifest.salt = Bytes(16);
  manifest.items.push_back({crypto::DigestOf(Bytes(100)).ToString(), 100});
  const Bytes encoded = ToCbor(manifest);
  Bytes plain = {static_cast<std::uint8_t>(encoded.size()), static_cast<std::uint8_t>(encoded.size() >> 8), 0, 0};
  plain.insert(plain.end(), encoded.begin(), encoded.end());
  REQUIRE(compressor.Take(plain));
  REQUIRE(compressor.Take(Bytes(64 << 20)));
  REQUIRE(compressor.Finish());
  Header header;
  header.kind = "task";
  header.issuer = "hq";
  header.sign_key = KeyBytes(Signer().Public().bytes);
  header.plain_size = static_cast<std::int64_t>(plain.size() + 100);
  header.packed_size = static_cast<std::int64_t>(frame.size());
  header.manifest = crypto::DigestOf(encoded).ToString();
  const auto digest = crypto::DigestOf(frame);
  header.chunks.assign(digest.bytes.begin(), digest.bytes.end());
  const Bytes body = ToCbor(Sign(Signer(), header));
  Bytes file(kMagic.begin(), kMagic.end());
  for (int i = 0; i < 4; ++i) file.push_back(static_cast<std::uint8_t>(body.size() >> (8 * i)));
  file.insert(file.end(), body.begin(), body.end());
  file.insert(file.end(), frame.begin(), frame.end());
  auto bundle = Bundle::Open(OpenMemory(file));
  REQUIRE(bundle);
  std::size_t given = 0;
  const auto out = bundle->Unpack(
      nullptr, [](const Manifest&, ByteView) -> Result<void> { return {}; },
      [&](const Item&, std::uint64_t, ByteView piece) -> Result<void> {
        given += piece.size();
        return {};
      });
  REQUIRE_FALSE(out);
  CHECK(out.error().id == ErrorId::kBundleLarger);
  CHECK(given <= 100);
}

TEST_CASE("nothing is written when a bundle is refused at the last moment") {
  crypto::Init();
  const Folder folder;
  const auto packed = Pack(Sample(Noise(1000)), Signer(), {folder.path / "x", 600},
                           [](const std::string&) -> Result<void> { return Fail(ErrorId::kFailed, "no"); });
  CHECK(packed.error().id == ErrorId::kFailed);
  CHECK(fs::is_empty(folder.path));
}

TEST_CASE("a header is trusted by the certificate of its issuer under the pinned authority alone") {
  crypto::Init();
  const auto authority = crypto::SigningKey::Generate();
  const auto sign = Signer();
  crypto::CertificateBody body;
  body.serial = BigId{4};
  body.name = "hq";
  body.role = crypto::Role::kRoot;
  body.sign_key.assign(sign.Public().bytes.begin(), sign.Public().bytes.end());
  body.transport_key = Bytes(32, 9);
  body.not_after = 1000;
  const auto print = crypto::FingerprintOf(authority.Public());
  body.authority.assign(print.begin(), print.end());
  Header header;
  header.kind = "task";
  header.issuer = "hq";
  header.sign_key = body.sign_key;
  CHECK(CheckIssuer(header, authority.Public(), {}, {}).error().id == ErrorId::kBundleUntrusted);
  header.certificate = crypto::IssueCertificate(authority, body);
  CHECK(CheckIssuer(header, authority.Public(), {}, {}));
  CHECK(CheckIssuer(header, crypto::SigningKey::Generate().Public(), {}, {}).error().id == ErrorId::kBundleUntrusted);
  // Its date counts where the operator asks for it.
  CHECK(CheckIssuer(header, authority.Public(), {}, UnixMillis{10'000'000}).error().id == ErrorId::kCertificateExpired);
  auto other = header;
  other.issuer = "another";
  CHECK(CheckIssuer(other, authority.Public(), {}, {}).error().id == ErrorId::kBundleUntrusted);
  // A list that the bundle itself brings counts.
  crypto::RevocationBody revoked;
  revoked.number = 3;
  revoked.serials = {BigId{4}};
  revoked.authority = body.authority;
  header.revocations = crypto::IssueRevocationList(authority, revoked);
  CHECK(CheckIssuer(header, authority.Public(), {}, {}).error().id == ErrorId::kRevoked);
  CHECK(NewerRevocations(header, authority.Public(), header.revocations)->has_value() == false);
  header.revocations->signature[0] ^= 1;
  CHECK_FALSE(CheckIssuer(header, authority.Public(), {}, {}));
}

}  // namespace ote::bundle
