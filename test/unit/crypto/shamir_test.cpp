#include "crypto/shamir.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace ote::crypto {
namespace {

std::vector<ShareOf> Pick(const SecretBytes& all, std::size_t size, const std::vector<int>& holders) {
  std::vector<ShareOf> out;
  for (const int holder : holders) {
    out.push_back(
        {static_cast<std::uint8_t>(holder), all.View().subspan(static_cast<std::size_t>(holder - 1) * size, size)});
  }
  return out;
}

TEST_CASE("products in the field of shares are those of FIPS 197") {
  CHECK(FieldProduct(0x57, 0x83) == 0xc1);  // section 4.2
  CHECK(FieldProduct(0x57, 0x02) == 0xae);  // section 4.2.1
  CHECK(FieldProduct(0x57, 0x04) == 0x47);
  CHECK(FieldProduct(0x57, 0x08) == 0x8e);
  CHECK(FieldProduct(0x57, 0x10) == 0x07);
  CHECK(FieldProduct(0x57, 0x13) == 0xfe);
  CHECK(FieldInverse(0x53) == 0xca);
  CHECK(FieldInverse(0) == 0);
  for (int a = 1; a < 256; ++a) {
    CHECK(FieldProduct(static_cast<std::uint8_t>(a), FieldInverse(static_cast<std::uint8_t>(a))) == 1);
  }
}

TEST_CASE("any shares that are enough give the secret back") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{32}, std::size_t{33}}) {
    const SecretBytes secret = SecretBytes::Random(size);
    const SecretBytes all = SplitSecret(secret.View(), 3, 5);
    REQUIRE(all.size() == 5 * size);
    for (const auto& holders : std::vector<std::vector<int>>{{1, 2, 3}, {5, 3, 1}, {2, 4, 5}, {1, 2, 3, 4, 5}}) {
      const auto joined = JoinShares(Pick(all, size, holders));
      REQUIRE(joined.has_value());
      CHECK(ConstantTimeEqual(joined->View(), secret.View()));
    }
  }
}

TEST_CASE("255 shares of which all are needed give the secret back, and 254 do not") {
  const SecretBytes secret = SecretBytes::Random(32);
  const SecretBytes all = SplitSecret(secret.View(), kMostShares, kMostShares);
  std::vector<int> holders;
  for (int i = 1; i <= 255; ++i) holders.push_back(i);
  CHECK(ConstantTimeEqual(JoinShares(Pick(all, 32, holders))->View(), secret.View()));
  holders.pop_back();
  CHECK_FALSE(ConstantTimeEqual(JoinShares(Pick(all, 32, holders))->View(), secret.View()));
}

TEST_CASE("too few shares say nothing: every secret is as likely") {
  // With one of two shares fixed, each value of the other makes another secret, so all 256 can be.
  const SecretBytes secret = SecretBytes::Random(1);
  const SecretBytes all = SplitSecret(secret.View(), 2, 2);
  std::vector<bool> possible(256);
  for (int other = 0; other < 256; ++other) {
    const Bytes made{static_cast<std::uint8_t>(other)};
    const std::vector<ShareOf> shares{{1, all.View().first(1)}, {2, made}};
    possible[JoinShares(shares)->View()[0]] = true;
  }
  CHECK(std::count(possible.begin(), possible.end(), true) == 256);
}

TEST_CASE("shares that cannot be put together are refused") {
  const SecretBytes all = SplitSecret(Bytes(32, 9), 2, 3);
  const auto refused = [](const std::vector<ShareOf>& shares) {
    const auto joined = JoinShares(shares);
    return !joined && joined.error().id == ErrorId::kMaskShareInvalid;
  };
  CHECK(refused({}));
  CHECK(refused(Pick(all, 32, {1, 1})));
  CHECK(refused({{0, all.View().first(32)}, {1, all.View().first(32)}}));
  CHECK(refused({{1, all.View().first(32)}, {2, all.View().first(31)}}));
}

TEST_CASE("one bit of one share changes the secret") {
  const Bytes secret(32, 5);
  const SecretBytes all = SplitSecret(secret, 2, 3);
  Bytes bent(all.View().begin() + 32, all.View().begin() + 64);
  bent[31] ^= 1;
  const std::vector<ShareOf> shares{{1, all.View().first(32)}, {2, bent}};
  CHECK_FALSE(ConstantTimeEqual(JoinShares(shares)->View(), secret));
}

}  // namespace
}  // namespace ote::crypto
