#include "crypto/mask_stream.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "crypto/agreement.h"
#include "crypto/digest.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

TEST_CASE("the stream of a mask is ChaCha20 of RFC 8439, appendix A.1") {
  // Test vectors 1 and 2: key zero, nonce zero, blocks 0 and 1.
  const Bytes expected = Hex(
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11c"
      "c387b669b2ee65869f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d5"
      "31ed1f28510afb45ace10a1f4b794d6f");
  KeyStream stream(Bytes(32, 0));
  Bytes got(128);
  stream.Next(std::span(got).first(5));  // in pieces of any length
  stream.Next(std::span(got).subspan(5, 70));
  stream.Next(std::span(got).subspan(75));
  CHECK(got == expected);
  // Test vector 4: the key 00ff00…, block 2.
  Bytes key(32, 0);
  key[1] = 0xff;
  KeyStream other(key);
  Bytes blocks(192);
  other.Next(blocks);
  CHECK(Bytes(blocks.begin() + 128, blocks.end()) == Hex("72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af"
                                                         "0ca13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b"
                                                         "7374f4872e99f096"));
}

TEST_CASE("a mask that is added and taken away leaves the values as they were") {
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{1}, std::size_t{16383}, std::size_t{16384}, std::size_t{50'001}}) {
    std::vector<std::uint32_t> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint32_t>(i * 2654435761U);
    const std::vector<std::uint32_t> before = values;
    Bytes key(32, 3);
    AddMask(key, MaskSign::kAdd, values);
    KeyStream stream(key);
    Bytes bytes(count * 4);
    stream.Next(bytes);
    bool all = true;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes.data() + i * 4, 4);
      all = all && values[i] == before[i] + word;
    }
    CHECK(all);
    AddMask(key, MaskSign::kSubtract, values);
    CHECK(values == before);
  }
}

TEST_CASE("masks that are laid together are those that are laid one after the other, in pieces of any length") {
  for (const std::size_t masks : {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{11}}) {
    std::vector<std::uint32_t> one(5'003);
    for (std::size_t i = 0; i < one.size(); ++i) one[i] = static_cast<std::uint32_t>(i * 2654435761U);
    std::vector<std::uint32_t> together = one;
    MaskLayer layer;
    for (std::size_t i = 0; i < masks; ++i) {
      const Bytes key(32, static_cast<std::uint8_t>(i + 1));
      const MaskSign sign = i % 3 == 0 ? MaskSign::kSubtract : MaskSign::kAdd;
      AddMask(key, sign, one);
      layer.Take(key, sign);
    }
    CHECK(layer.size() == masks);
    const std::span<std::uint32_t> all(together);
    layer.Next(all.first(1));
    layer.Next(all.subspan(1, 2'050));
    layer.Next(all.subspan(2'051));
    CHECK(together == one);
  }
}

TEST_CASE("two members agree on a key, for one use, by X25519 of RFC 7748") {
  const Json vectors = Vectors("curves.json")["x25519"];
  const auto alice = TransportKey::FromSecret(Hex(vectors[0]["secret"])).value();
  const auto bob = TransportKey::FromSecret(Hex(vectors[1]["secret"])).value();
  const auto key = AgreeKey(alice, bob.Public(), AsBytes("use"));
  REQUIRE(key.has_value());
  CHECK(ConstantTimeEqual(key->View(), AgreeKey(bob, alice.Public(), AsBytes("use"))->View()));
  CHECK_FALSE(ConstantTimeEqual(key->View(), AgreeKey(alice, bob.Public(), AsBytes("other"))->View()));
  // The shared secret of section 6.1, both public keys in their order, and the digest of the use.
  Bytes all = Hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  const auto [first, second] = std::minmax(alice.Public().bytes, bob.Public().bytes);
  all.insert(all.end(), first.begin(), first.end());
  all.insert(all.end(), second.begin(), second.end());
  const Digest about = DigestOf(AsBytes("use"));
  all.insert(all.end(), about.bytes.begin(), about.bytes.end());
  CHECK(ConstantTimeEqual(key->View(), DeriveKey(all, "ote-agree-v1").View()));
}

TEST_CASE("a public key of small order, with which anybody would know the key, is refused") {
  const auto own = TransportKey::Generate();
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"}) {
    const Bytes bytes = Hex(point);
    TransportPublic other;
    std::copy(bytes.begin(), bytes.end(), other.bytes.begin());
    const auto key = AgreeKey(own, other, AsBytes("use"));
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().id == ErrorId::kMaskForged);
  }
}

}  // namespace
}  // namespace ote::crypto
