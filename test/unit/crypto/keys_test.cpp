#include "crypto/keys.h"

#include <sodium.h>

#include <catch2/catch.hpp>

#include "crypto/digest.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SigningKey> && !std::is_copy_constructible_v<TransportKey>);

TEST_CASE("signing keys are Ed25519 keys of RFC 8032") {
  const Json vectors = Vectors("curves.json");
  for (const Json& v : vectors["ed25519"]) {
    INFO(v["source"].get<std::string>());
    const auto key = SigningKey::FromSeed(Hex(v["seed"]));
    REQUIRE(key);
    CHECK(HexEncode(key->Public().bytes) == v["public"]);

    // The primitive below gives the published signature...
    Init();
    const Bytes message = Hex(v["message"]);
    Bytes expanded(crypto_sign_SECRETKEYBYTES);
    Bytes again(32);
    crypto_sign_seed_keypair(again.data(), expanded.data(), key->Seed().data());
    Signature plain{};
    crypto_sign_detached(plain.data(), nullptr, message.data(), message.size(), expanded.data());
    CHECK(HexEncode(plain) == v["signature"]);

    // ...and ours is that primitive over domain, zero byte, message.
    Bytes framed = {'o', 't', 'e', 0};
    framed.insert(framed.end(), message.begin(), message.end());
    crypto_sign_detached(plain.data(), nullptr, framed.data(), framed.size(), expanded.data());
    CHECK(key->Sign("ote", message) == plain);
    CHECK(Verify(key->Public(), "ote", message, plain));
    // A signature without a domain is void for every domain.
    CHECK(Outcome(Verify(key->Public(), "ote", message, Hex(v["signature"]))) == "kSignatureInvalid");
  }
}

TEST_CASE("transport keys are X25519 keys of RFC 7748") {
  const Json vectors = Vectors("curves.json");
  for (const Json& v : vectors["x25519"]) {
    INFO(v["source"].get<std::string>());
    const auto key = TransportKey::FromSecret(Hex(v["secret"]));
    REQUIRE(key);
    CHECK(HexEncode(key->Public().bytes) == v["public"]);
    CHECK(HexEncode(key->Secret()) == v["secret"]);
  }
}

TEST_CASE("a signature holds for its key, domain and message only") {
  const SigningKey key = SigningKey::Generate();
  const SigningKey other = SigningKey::Generate();
  const Bytes message = {1, 2, 3, 4, 5};
  const Signature signature = key.Sign("ote-test-v1", message);
  CHECK(Verify(key.Public(), "ote-test-v1", message, signature));
  CHECK(key.Sign("ote-test-v1", message) == signature);
  CHECK(Outcome(Verify(other.Public(), "ote-test-v1", message, signature)) == "kSignatureInvalid");
  CHECK(Outcome(Verify(key.Public(), "ote-test-v2", message, signature)) == "kSignatureInvalid");
  CHECK(Outcome(Verify(key.Public(), "ote-test-v", message, signature)) == "kSignatureInvalid");
  CHECK(Outcome(Verify(key.Public(), "ote-test-v1", ByteView(message).first(4), signature)) == "kSignatureInvalid");
  for (std::size_t i = 0; i < message.size() * 8; ++i) {
    Bytes flipped = message;
    flipped[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    CHECK(Outcome(Verify(key.Public(), "ote-test-v1", flipped, signature)) == "kSignatureInvalid");
  }
}

TEST_CASE("a signature with any bit flipped, or of another length, is refused") {
  const SigningKey key = SigningKey::Generate();
  const Bytes message = {1, 2, 3};
  const Signature signature = key.Sign("ote-test-v1", message);
  for (std::size_t i = 0; i < signature.size() * 8; ++i) {
    Signature flipped = signature;
    flipped[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    CHECK(Outcome(Verify(key.Public(), "ote-test-v1", message, flipped)) == "kSignatureInvalid");
  }
  for (std::size_t n = 0; n < signature.size(); ++n) {
    CHECK(Outcome(Verify(key.Public(), "ote-test-v1", message, ByteView(signature).first(n))) == "kSignatureInvalid");
  }
  Bytes longer(signature.begin(), signature.end());
  longer.push_back(0);
  CHECK(Outcome(Verify(key.Public(), "ote-test-v1", message, longer)) == "kSignatureInvalid");
}

TEST_CASE("signatures are met with the class of failure that the vectors name") {
  const Json vectors = Vectors("signatures.json");
  for (const Json& v : vectors["cases"]) {
    INFO(v["what"].get<std::string>());
    const auto result =
        Verify(VerifyKey{Hex32(v["public"])}, v["domain"].get<std::string>(), Hex(v["message"]), Hex(v["signature"]));
    CHECK(Outcome(result) == v["expect"]);
  }
}

TEST_CASE("a key of small order verifies nothing") {
  const Signature zeros{};
  CHECK(Outcome(Verify(VerifyKey{}, "ote-test-v1", {}, zeros)) == "kSignatureInvalid");
  VerifyKey one;
  one.bytes[0] = 1;
  Signature identity{};
  identity[0] = 1;
  CHECK(Outcome(Verify(one, "ote-test-v1", {}, identity)) == "kSignatureInvalid");
}

TEST_CASE("where domain ends and message begins is part of what is signed") {
  const SigningKey key = SigningKey::Generate();
  const Signature signature = key.Sign("ote", AsBytes("ab"));
  CHECK(Outcome(Verify(key.Public(), "otea", AsBytes("b"), signature)) == "kSignatureInvalid");
}

TEST_CASE("two generated keys differ, and a seed gives its key again") {
  const SigningKey a = SigningKey::Generate();
  const SigningKey b = SigningKey::Generate();
  CHECK(a.Public() != b.Public());
  CHECK(SigningKey::FromSeed(a.Seed())->Public() == a.Public());
  CHECK(TransportKey::Generate().Public() != TransportKey::Generate().Public());
}

TEST_CASE("a seed or secret of another length is no key") {
  for (const std::size_t n : {0U, 1U, 31U, 33U, 64U}) {
    CHECK(Outcome(SigningKey::FromSeed(Bytes(n))) == "kKeyFileInvalid");
    CHECK(Outcome(TransportKey::FromSecret(Bytes(n))) == "kKeyFileInvalid");
  }
}

TEST_CASE("the text of a key reads back, and nothing else does") {
  const VerifyKey key = SigningKey::Generate().Public();
  const std::string text = ToText(key.bytes);
  CHECK(text.size() == 43);
  CHECK(KeyFromText(text) == key.bytes);
  for (std::size_t n = 0; n < text.size(); ++n) CHECK(Outcome(KeyFromText(text.substr(0, n))) == "kMalformed");
  CHECK(Outcome(KeyFromText(text + "A")) == "kMalformed");
  CHECK(Outcome(KeyFromText(text + "=")) == "kMalformed");
  // The last character carries four bits: the sixteen spellings that set the other two are not keys.
  CHECK(Outcome(KeyFromText(text.substr(0, 42) + "B")) == "kMalformed");
  CHECK(FingerprintOf(key) == DigestOf(key.bytes).bytes);
}

}  // namespace
}  // namespace ote::crypto
