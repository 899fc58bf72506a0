#include "crypto/sealed.h"

#include <sodium.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <string_view>

#include "crypto/secret.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

const ByteView kUse = AsBytes("test-use-v1");

Bytes Text(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 131 + (i >> 8));
  return out;
}

void CheckBroken(const Result<Bytes>& opened) {
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().id == ErrorId::kSealBroken);
}

TEST_CASE("a sealed stream of any length opens for its receiver, and has the size that was said") {
  const auto receiver = TransportKey::Generate();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSealedChunk - 1, kSealedChunk, kSealedChunk + 1,
                                 3 * kSealedChunk, 3 * kSealedChunk + 17}) {
    const Bytes plain = Text(size);
    const Bytes sealed = Seal(receiver.Public(), kUse, plain).value();
    CHECK(sealed.size() == SealedSize(size));
    CHECK(PlainSize(sealed.size()).value() == size);
    CHECK(OpenSealed(receiver, kUse, sealed).value() == plain);
  }
  CHECK_FALSE(PlainSize(kSealedHeader + kSealedTag - 1).has_value());
  CHECK_FALSE(PlainSize(SealedSize(kSealedChunk) + 1).has_value());
  CHECK_FALSE(PlainSize(SealedSize(kSealedChunk) + kSealedTag).has_value());
}

TEST_CASE("a sealed stream opens for no other key and no other use") {
  const auto receiver = TransportKey::Generate();
  const Bytes sealed = Seal(receiver.Public(), kUse, Text(100)).value();
  CheckBroken(OpenSealed(TransportKey::Generate(), kUse, sealed));
  CheckBroken(OpenSealed(receiver, AsBytes("test-use-v2"), sealed));
}

TEST_CASE("the key of one stream opens that stream and no other") {
  const auto receiver = TransportKey::Generate();
  const auto begin = [](const Bytes& sealed) { return ByteView(sealed).first(kSealedHeader); };
  const auto opens = [&begin](const Bytes& sealed, ByteView key) {
    Bytes out(sealed.size() - kSealedHeader - kSealedTag);
    auto opener = Opener::WithStreamKey(key, begin(sealed));
    return opener && opener->Open(0, true, ByteView(sealed).subspan(kSealedHeader), out) && out == Text(100);
  };
  const Bytes one = Seal(receiver.Public(), kUse, Text(100)).value();
  const auto key = StreamKeyOf(receiver, kUse, begin(one)).value();
  CHECK(opens(one, key.View()));
  // Of the same sender's next stream, for another use, by another receiver, made up.
  const Bytes two = Seal(receiver.Public(), kUse, Text(100)).value();
  CHECK_FALSE(opens(two, key.View()));
  CHECK_FALSE(opens(one, StreamKeyOf(receiver, kUse, begin(two)).value().View()));
  CHECK_FALSE(opens(one, StreamKeyOf(receiver, AsBytes("test-use-v2"), begin(one)).value().View()));
  CHECK_FALSE(opens(one, StreamKeyOf(TransportKey::Generate(), kUse, begin(one)).value().View()));
  CHECK_FALSE(opens(one, SecretBytes::Random(32).View()));
  // The same content for two uses, sealed so that it can be repeated.
  const auto secret = SecretBytes::Random(32);
  const Bytes plain = Text(100);
  const auto repeatable = [&](std::string_view use) {
    auto sealer = Sealer::Repeatable(receiver.Public(), AsBytes(use), secret.View(), DigestOf(plain)).value();
    Bytes out(sealer.Header().begin(), sealer.Header().end());
    out.resize(SealedSize(plain.size()));
    sealer.Next(plain, true, std::span(out).subspan(kSealedHeader));
    return out;
  };
  const Bytes first = repeatable("test-round-1");
  const Bytes second = repeatable("test-round-2");
  const auto of_first = StreamKeyOf(receiver, AsBytes("test-round-1"), begin(first)).value();
  CHECK(opens(first, of_first.View()));
  CHECK_FALSE(opens(second, of_first.View()));
  // A header that is none.
  CHECK_FALSE(StreamKeyOf(receiver, kUse, ByteView(one).first(kSealedHeader - 1)).has_value());
  CHECK_FALSE(Opener::WithStreamKey(key.View(), ByteView(one).first(10)).has_value());
}

TEST_CASE("a flipped bit anywhere in a sealed stream is found") {
  const auto receiver = TransportKey::Generate();
  const Bytes sealed = Seal(receiver.Public(), kUse, Text(50)).value();
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    // The curve ignores the highest bit of a public key; the key of the stream does not.
    CheckBroken(OpenSealed(receiver, kUse, altered));
  }
}

TEST_CASE("chunks that are cut off, swapped, repeated or taken from another stream are refused") {
  const auto receiver = TransportKey::Generate();
  const Bytes sealed = Seal(receiver.Public(), kUse, Text(3 * kSealedChunk)).value();
  constexpr auto kWhole = static_cast<std::ptrdiff_t>(kSealedChunk + kSealedTag);
  const auto chunk = [](Bytes& of, std::ptrdiff_t i) {
    return of.begin() + static_cast<std::ptrdiff_t>(kSealedHeader) + i * kWhole;
  };
  Bytes cut = sealed;
  cut.erase(chunk(cut, 2), cut.end());
  CheckBroken(OpenSealed(receiver, kUse, cut));
  Bytes swapped = sealed;
  std::swap_ranges(chunk(swapped, 0), chunk(swapped, 1), chunk(swapped, 1));
  CheckBroken(OpenSealed(receiver, kUse, swapped));
  Bytes repeated = sealed;
  std::copy(chunk(repeated, 0), chunk(repeated, 1), chunk(repeated, 1));
  CheckBroken(OpenSealed(receiver, kUse, repeated));
  Bytes other = Seal(receiver.Public(), kUse, Text(3 * kSealedChunk)).value();
  Bytes mixed = sealed;
  std::copy(chunk(other, 1), chunk(other, 2), chunk(mixed, 1));
  CheckBroken(OpenSealed(receiver, kUse, mixed));
  Bytes header = sealed;
  std::copy(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(kSealedHeader), header.begin());
  CheckBroken(OpenSealed(receiver, kUse, header));
}

TEST_CASE("chunks open in any order, and in the place of what was sealed") {
  const SecretBytes key = SecretBytes::Random(32);
  const Bytes plain = Text(2 * kSealedChunk + 5);
  auto sealer = Sealer::WithKey(key.View(), kUse);
  std::vector<Bytes> chunks;
  for (std::size_t at = 0; at < plain.size(); at += kSealedChunk) {
    const std::size_t size = std::min(kSealedChunk, plain.size() - at);
    Bytes chunk(plain.begin() + static_cast<std::ptrdiff_t>(at),
                plain.begin() + static_cast<std::ptrdiff_t>(at + size));
    chunk.resize(size + kSealedTag);
    sealer.Next(ByteView(chunk).first(size), at + size == plain.size(), chunk);
    chunks.push_back(std::move(chunk));
  }
  auto opener = Opener::WithKey(key.View(), kUse, sealer.Header()).value();
  for (const std::size_t i : {std::size_t{2}, std::size_t{0}, std::size_t{1}}) {
    const std::size_t size = chunks[i].size() - kSealedTag;
    Bytes scratch(size);
    CHECK_FALSE(opener.Open(i, i != 2, chunks[i], scratch).has_value());
    REQUIRE(opener.Open(i, i == 2, chunks[i], std::span(chunks[i]).first(size)).has_value());
    CHECK(std::equal(plain.begin() + static_cast<std::ptrdiff_t>(i * kSealedChunk),
                     plain.begin() + static_cast<std::ptrdiff_t>(i * kSealedChunk + size), chunks[i].begin()));
  }
}

TEST_CASE("a chunk that does not hold leaves nothing of itself behind") {
  const SecretBytes key = SecretBytes::Random(32);
  auto sealer = Sealer::WithKey(key.View(), kUse);
  Bytes chunk(1000 + kSealedTag);
  sealer.Next(Text(1000), true, chunk);
  chunk.back() ^= 1;
  Bytes out(1000, 7);
  auto opener = Opener::WithKey(key.View(), kUse, sealer.Header()).value();
  CHECK_FALSE(opener.Open(0, true, chunk, out).has_value());
  CHECK(std::all_of(out.begin(), out.end(), [](std::uint8_t b) { return b == 0; }));
}

TEST_CASE("a repeatable seal gives the same bytes for the same content, and others for any other") {
  const auto receiver = TransportKey::Generate();
  const SecretBytes secret = SecretBytes::Random(32);
  const auto header = [&](ByteView of, const TransportPublic& to, ByteView use, ByteView with) {
    const auto sealer = Sealer::Repeatable(to, use, with, DigestOf(of)).value();
    return Bytes(sealer.Header().begin(), sealer.Header().end());
  };
  const Bytes one = Text(10);
  const Bytes same = header(one, receiver.Public(), kUse, secret.View());
  CHECK(header(one, receiver.Public(), kUse, secret.View()) == same);
  const std::set<Bytes> others = {same, header(Text(11), receiver.Public(), kUse, secret.View()),
                                  header(one, TransportKey::Generate().Public(), kUse, secret.View()),
                                  header(one, receiver.Public(), AsBytes("other"), secret.View()),
                                  header(one, receiver.Public(), kUse, SecretBytes::Random(32).View())};
  CHECK(others.size() == 5);
}

TEST_CASE("keys of small order are refused, on both sides") {
  const TransportPublic zero{};
  CHECK(Sealer::To(zero, kUse).error().id == ErrorId::kSealBroken);
  Bytes forged = Seal(TransportKey::Generate().Public(), kUse, Text(3)).value();
  std::fill_n(forged.begin() + 8, 32, std::uint8_t{0});
  CheckBroken(OpenSealed(TransportKey::Generate(), kUse, forged));
}

// The stream of a vector: its content is of a size alone.
Bytes VectorStream(const Json& vectors, std::size_t size) {
  const auto receiver = TransportKey::FromSecret(Hex(vectors["receiver"])).value();
  Bytes plain(size);
  for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<std::uint8_t>(7 * i + i / 251);
  auto sealer =
      Sealer::Repeatable(receiver.Public(), Hex(vectors["context"]), Hex(vectors["secret"]), DigestOf(plain)).value();
  Bytes out(sealer.Header().begin(), sealer.Header().end());
  out.resize(SealedSize(size));
  ByteView rest = plain;
  for (std::span<std::uint8_t> into = std::span(out).subspan(kSealedHeader); !into.empty();) {
    const std::size_t chunk = std::min(rest.size(), kSealedChunk);
    sealer.Next(rest.first(chunk), chunk == rest.size(), into.first(chunk + kSealedTag));
    rest = rest.subspan(chunk);
    into = into.subspan(chunk + kSealedTag);
  }
  return out;
}

TEST_CASE("sealed streams have the bytes that another implementation makes") {
  const Json vectors = Vectors("sealed.json");
  const auto receiver = TransportKey::FromSecret(Hex(vectors["receiver"])).value();
  for (const Json& v : vectors["good"]) {
    const auto size = v["size"].get<std::size_t>();
    INFO(size);
    const Bytes stream = VectorStream(vectors, size);
    CHECK(stream.size() == v["length"]);
    CHECK(HexEncode(ByteView(stream).first(kSealedHeader)) == v["header"]);
    CHECK(HexEncode(DigestOf(stream).bytes) == v["digest"]);
    const auto key = StreamKeyOf(receiver, Hex(vectors["context"]), Hex(v["header"]));
    CHECK(HexEncode(key.value().View()) == v["streamKey"]);
    CHECK(OpenSealed(receiver, Hex(vectors["context"]), stream).value().size() == size);
  }
}

TEST_CASE("sealed streams are met with the class of failure that the vectors name") {
  const Json vectors = Vectors("sealed.json");
  for (const Json& v : vectors["bad"]) {
    INFO(v["what"].get<std::string>());
    const auto receiver = TransportKey::FromSecret(Hex(v.value("receiver", vectors["receiver"]))).value();
    Bytes sealed;
    if (v.contains("sealed")) {
      sealed = Hex(v["sealed"]);
    } else {
      const Bytes whole = VectorStream(vectors, v["of"].get<std::size_t>());
      for (const Json& part : v["parts"]) {
        REQUIRE(part[1].get<std::size_t>() <= whole.size());
        sealed.insert(sealed.end(), whole.begin() + part[0].get<std::ptrdiff_t>(),
                      whole.begin() + part[1].get<std::ptrdiff_t>());
      }
    }
    CHECK(Outcome(OpenSealed(receiver, Hex(v.value("context", vectors["context"])), sealed)) == vectors["class"]);
  }
  for (const Json& point : vectors["small"]) {
    INFO(point.get<std::string>());
    CHECK(Outcome(Sealer::To(TransportPublic{Hex32(point)}, Hex(vectors["context"]))) == vectors["class"]);
  }
}

// libsodium's own XChaCha20-Poly1305 opens what was sealed, when told key and nonce.
TEST_CASE("chunks are XChaCha20-Poly1305 with the nonce prefix, counter and last") {
  const SecretBytes key = SecretBytes::Random(32);
  auto sealer = Sealer::WithKey(key.View(), kUse);
  Bytes first(kSealedChunk + kSealedTag);
  Bytes second(20 + kSealedTag);
  sealer.Next(Text(kSealedChunk), false, first);
  sealer.Next(Text(20), true, second);

  Bytes all(key.View().begin(), key.View().end());
  all.resize(96, 0);
  const Digest about = DigestOf(kUse);
  all.insert(all.end(), about.bytes.begin(), about.bytes.end());
  const SecretBytes stream = DeriveKey(all, "ote-seal-v1");
  const auto opens = [&](const Bytes& sealed, std::uint8_t counter, std::uint8_t last, std::size_t size) {
    Bytes nonce(sealer.Header().end() - 16, sealer.Header().end());
    nonce.resize(24, 0);
    nonce[16] = counter;
    nonce[23] = last;
    Bytes out(sealed.size() - kSealedTag);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                      nullptr, 0, nonce.data(), stream.View().data()) == 0 &&
           out == Text(size);
  };
  CHECK(opens(first, 0, 0, kSealedChunk));
  CHECK(opens(second, 1, 1, 20));
  CHECK_FALSE(opens(second, 1, 0, 20));
}

// What the streams here, and sessions, are compared with; HChaCha20 they use themselves.
TEST_CASE("the ciphers of streams and sessions give the published vectors") {
  const auto hex = [](std::string_view text) {
    Bytes out(text.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::uint8_t>(std::stoi(std::string(text.substr(2 * i, 2)), nullptr, 16));
    }
    return out;
  };
  const ByteView plain = AsBytes(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.");
  const Bytes key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const Bytes about = hex("50515253c0c1c2c3c4c5c6c7");
  Bytes out(plain.size() + kSealedTag);

  // draft-irtf-cfrg-xchacha-03, 2.2.1 and A.3.1
  Bytes sub(crypto_core_hchacha20_OUTPUTBYTES);
  crypto_core_hchacha20(sub.data(), hex("000000090000004a0000000031415927").data(),
                        hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").data(), nullptr);
  CHECK(sub == hex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"));
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      out.data(), nullptr, plain.data(), plain.size(), about.data(), about.size(), nullptr,
      hex("404142434445464748494a4b4c4d4e4f5051525354555657").data(), key.data());
  CHECK(out ==
        hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64"
            "c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c"
            "97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"));

  // RFC 8439, 2.8.2
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, plain.data(), plain.size(), about.data(), about.size(),
                                            nullptr, hex("070000004041424344454647").data(), key.data());
  CHECK(out ==
        hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71"
            "de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def0"
            "8e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"));
}

}  // namespace
TEST_CASE("a sealed stream is told from other bytes by its form") {
  const auto key = TransportKey::Generate();
  Bytes sealed = Seal(key.Public(), AsBytes("test"), Bytes(100'000, 1)).value();
  CHECK(LooksSealed(sealed));
  CHECK_FALSE(LooksSealed(ByteView(sealed).first(kSealedHeader)));
  CHECK_FALSE(LooksSealed(ByteView(sealed).first(5)));
  CHECK_FALSE(LooksSealed({}));
  sealed[0] ^= 1;
  CHECK_FALSE(LooksSealed(sealed));
}

}  // namespace ote::crypto
