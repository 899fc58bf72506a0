#include "crypto/digest.h"

#include <sodium.h>

#include <catch2/catch.hpp>

#include "crypto/secret.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

TEST_CASE("digests, MACs and derived keys are BLAKE2b as another implementation computes it") {
  const Json vectors = Vectors("digests.json");
  for (const Json& v : vectors["blake2b256"]) {
    const Bytes input = Hex(v["input"]);
    CHECK(DigestOf(input).Hex() == v["digest"]);
    // In pieces of every size that is told apart by the block of 128 bytes.
    for (std::size_t step : {std::size_t{1}, std::size_t{127}, std::size_t{128}, std::size_t{129}}) {
      Hasher hasher;
      for (std::size_t at = 0; at < input.size(); at += step) {
        hasher.Update(ByteView(input).subspan(at, std::min(step, input.size() - at)));
      }
      CHECK(hasher.Finish() == DigestOf(input));
    }
  }
  for (const Json& v : vectors["keyed"]) CHECK(HexEncode(Mac(Hex(v["key"]), Hex(v["input"]))) == v["mac"]);
  for (const Json& v : vectors["derived"]) {
    CHECK(HexEncode(DeriveKey(Hex(v["secret"]), v["context"].get<std::string>()).View()) == v["key"]);
  }
}

// The bytes that RFC 7693 appendix E feeds: a Fibonacci generator.
Bytes SelfTestSequence(std::size_t size, std::uint32_t seed) {
  Bytes out(size);
  std::uint32_t a = 0xDEAD4BADU * seed;
  std::uint32_t b = 1;
  for (std::uint8_t& byte : out) {
    const std::uint32_t t = a + b;
    a = b;
    b = t;
    byte = static_cast<std::uint8_t>(t >> 24);
  }
  return out;
}

TEST_CASE("the self test of RFC 7693 appendix E passes, its 256-bit part by our functions") {
  Init();
  Hasher all;
  for (const std::size_t out_size : {20U, 32U, 48U, 64U}) {
    for (const std::size_t in_size : {0U, 3U, 128U, 129U, 255U, 1024U}) {
      const Bytes in = SelfTestSequence(in_size, static_cast<std::uint32_t>(in_size));
      const Bytes key = SelfTestSequence(out_size, static_cast<std::uint32_t>(out_size));
      if (out_size == 32) {
        all.Update(DigestOf(in).bytes);
        all.Update(Mac(key, in));
        continue;
      }
      Bytes out(out_size);
      crypto_generichash(out.data(), out.size(), in.data(), in.size(), nullptr, 0);
      all.Update(out);
      crypto_generichash(out.data(), out.size(), in.data(), in.size(), key.data(), key.size());
      all.Update(out);
    }
  }
  CHECK(all.Finish().Hex() == "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475");
}

TEST_CASE("a digest reads back what it writes and nothing else") {
  const Digest digest = DigestOf(AsBytes("ote"));
  const std::string text = digest.ToString();
  CHECK(text.size() == 72);
  CHECK(text.starts_with("blake2b:"));
  CHECK(Digest::Parse(text) == digest);
  for (std::size_t n = 0; n < text.size(); ++n) CHECK(Outcome(Digest::Parse(text.substr(0, n))) == "kMalformed");
  CHECK(Outcome(Digest::Parse(text + "0")) == "kMalformed");
  CHECK(Outcome(Digest::Parse(digest.Hex())) == "kMalformed");
  CHECK(Outcome(Digest::Parse("sha256::" + digest.Hex())) == "kMalformed");
  std::string upper = text;
  std::ranges::transform(upper.begin() + 8, upper.end(), upper.begin() + 8,
                         [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  CHECK(Outcome(Digest::Parse(upper)) == "kMalformed");
}

TEST_CASE("keys derived for two uses differ") {
  const SecretBytes secret = SecretBytes::Random(32);
  const SecretBytes a = DeriveKey(secret.View(), "one");
  const SecretBytes b = DeriveKey(secret.View(), "two");
  CHECK_FALSE(ConstantTimeEqual(a.View(), b.View()));
  CHECK_FALSE(ConstantTimeEqual(a.View(), secret.View()));
}

}  // namespace
}  // namespace ote::crypto
