#include <catch2/catch.hpp>

#include "crypto/certificate.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

RevocationBody Body(std::int64_t number, std::vector<BigId> serials) {
  RevocationBody body;
  body.number = number;
  body.issued_at = 1'700'000'000'000;
  body.serials = std::move(serials);
  return body;
}

TEST_CASE("a revocation list finds its serials, in whatever order they were given") {
  const SigningKey authority = SigningKey::Generate();
  const RevocationList list = IssueRevocationList(authority, Body(5, {{30}, {10}, {20}, {10}}));
  const auto body = CheckRevocationList(list, authority.Public(), 0);
  REQUIRE(body);
  CHECK(body->number == 5);
  CHECK(body->serials == std::vector<BigId>{{10}, {20}, {30}});
  for (const std::uint64_t serial : {10U, 20U, 30U}) CHECK(body->Contains({serial}));
  for (const std::uint64_t serial : {0U, 9U, 11U, 31U}) CHECK_FALSE(body->Contains({serial}));
  CHECK_FALSE(RevocationBody{}.Contains({0}));
}

TEST_CASE("an older revocation list is refused, the same one is not") {
  const SigningKey authority = SigningKey::Generate();
  const RevocationList list = IssueRevocationList(authority, Body(5, {{10}}));
  CHECK(CheckRevocationList(list, authority.Public(), 5));
  const auto old = CheckRevocationList(list, authority.Public(), 6);
  REQUIRE(Outcome(old) == "kConflict");
  CHECK_THAT(old.error().message, Catch::Contains("number 5, older than number 6"));
}

TEST_CASE("any bit flipped in a revocation list breaks its signature") {
  const SigningKey authority = SigningKey::Generate();
  const RevocationList made = IssueRevocationList(authority, Body(5, {{10}, {20}}));
  for (std::size_t i = 0; i < made.body.size() * 8; ++i) {
    RevocationList flipped = made;
    flipped.body[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    REQUIRE(Outcome(CheckRevocationList(flipped, authority.Public(), 0)) == "kSignatureInvalid");
  }
  RevocationList cut = made;
  cut.signature.pop_back();
  CHECK(Outcome(CheckRevocationList(cut, authority.Public(), 0)) == "kSignatureInvalid");
}

TEST_CASE("a certificate's signature is not a revocation list's") {
  const SigningKey authority = SigningKey::Generate();
  const RevocationList made = IssueRevocationList(authority, Body(1, {}));
  RevocationList forged = made;
  const Signature other = authority.Sign("ote-certificate-v1", made.body);
  forged.signature.assign(other.begin(), other.end());
  CHECK(Outcome(CheckRevocationList(forged, authority.Public(), 0)) == "kSignatureInvalid");
}

TEST_CASE("revocation lists are met with the class of failure that the vectors name") {
  const Json vectors = Vectors("revocations.json");
  const VerifyKey authority{Hex32(vectors["authority"])};
  for (const Json& v : vectors["cases"]) {
    INFO(v["what"].get<std::string>());
    const RevocationList list{Base64(v["body"]), Base64(v["signature"])};
    CHECK(Outcome(CheckRevocationList(list, authority, v["atLeast"].get<std::int64_t>())) == v["expect"]);
  }
}

}  // namespace
}  // namespace ote::crypto
