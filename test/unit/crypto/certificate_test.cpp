#include "crypto/certificate.h"

#include <catch2/catch.hpp>

#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

constexpr UnixMillis kHour = 3'600'000;

Bytes AsVector(const std::array<std::uint8_t, 32>& key) { return {key.begin(), key.end()}; }

struct Fixture {
  FakeClock clock;
  SigningKey authority = SigningKey::Generate();
  SigningKey member = SigningKey::Generate();
  TransportKey link = TransportKey::Generate();

  CertificateBody Body() const {
    CertificateBody body;
    body.serial = {0xffffffffffffffffULL};
    body.name = "clinic-a";
    body.parent = "hq";
    body.labels = {{"region", "eu"}};
    body.sign_key = AsVector(member.Public().bytes);
    body.transport_key = AsVector(link.Public().bytes);
    body.not_before = clock.WallNow();
    body.not_after = clock.WallNow() + 24 * kHour;
    return body;
  }
  Result<CertificateBody> Check(const Certificate& certificate, UnixMillis grace = 0) const {
    return CheckCertificate(certificate, authority.Public(), {.now = clock.WallNow(), .skew = 120'000, .grace = grace});
  }
};

TEST_CASE_METHOD(Fixture, "a certificate gives back what it was issued for") {
  const auto body = Check(IssueCertificate(authority, Body()));
  REQUIRE(body);
  CHECK(body->serial.value == 0xffffffffffffffffULL);
  CHECK(body->name == "clinic-a");
  CHECK(body->role == Role::kMember);
  CHECK(body->parent == "hq");
  CHECK(body->labels == std::map<std::string, std::string>{{"region", "eu"}});
  CHECK(body->SignKey() == member.Public());
  CHECK(body->Transport() == link.Public());
  CHECK(body->authority == AsVector(FingerprintOf(authority.Public())));
}

TEST_CASE_METHOD(Fixture, "issuing is deterministic: the same body gives the same bytes") {
  const Certificate a = IssueCertificate(authority, Body());
  const Certificate b = IssueCertificate(authority, Body());
  CHECK(a.body == b.body);
  CHECK(a.signature == b.signature);
}

TEST_CASE_METHOD(Fixture, "a certificate travels as CBOR and as JSON") {
  const Certificate made = IssueCertificate(authority, Body());
  const auto cbor = FromCbor<Certificate>(ToCbor(made));
  REQUIRE(cbor);
  CHECK(Check(*cbor));
  const auto json = FromJson<Certificate>(Json::parse(DumpJson(ToJson(made))));
  REQUIRE(json);
  CHECK(Check(*json));
}

TEST_CASE_METHOD(Fixture, "any bit flipped in a certificate makes it invalid") {
  const Certificate made = IssueCertificate(authority, Body());
  for (std::size_t i = 0; i < made.body.size() * 8; ++i) {
    Certificate flipped = made;
    flipped.body[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    REQUIRE(Outcome(Check(flipped)) == "kCertificateInvalid");
  }
  for (std::size_t i = 0; i < made.signature.size() * 8; ++i) {
    Certificate flipped = made;
    flipped.signature[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    REQUIRE(Outcome(Check(flipped)) == "kCertificateInvalid");
  }
}

TEST_CASE_METHOD(Fixture, "a certificate cut short, with no signature, or of another authority is invalid") {
  const Certificate made = IssueCertificate(authority, Body());
  for (std::size_t n = 0; n < made.body.size(); ++n) {
    Certificate cut = made;
    cut.body.resize(n);
    REQUIRE(Outcome(Check(cut)) == "kCertificateInvalid");
  }
  for (std::size_t n = 0; n < made.signature.size(); ++n) {
    Certificate cut = made;
    cut.signature.resize(n);
    REQUIRE(Outcome(Check(cut)) == "kCertificateInvalid");
  }
  CHECK(Outcome(Check(IssueCertificate(member, Body()))) == "kCertificateInvalid");
}

TEST_CASE_METHOD(Fixture, "a member cannot issue: its own certificate's key is not the authority's") {
  const Certificate own = IssueCertificate(authority, Body());
  const auto body = CheckCertificateSignature(own, authority.Public());
  REQUIRE(body);
  const Certificate forged = IssueCertificate(member, Body());
  CHECK(Outcome(CheckCertificateSignature(forged, authority.Public())) == "kCertificateInvalid");
}

TEST_CASE_METHOD(Fixture, "dates hold to the millisecond, with the skew on both sides") {
  const Certificate made = IssueCertificate(authority, Body());
  const UnixMillis from = clock.WallNow();
  const auto at = [&](UnixMillis wall) {
    clock.SetWall(wall);
    return Outcome(Check(made));
  };
  CHECK(at(from) == "ok");
  CHECK(at(from - 120'000) == "ok");
  CHECK(at(from - 120'001) == "kClockOff");
  CHECK(at(from + 24 * kHour + 120'000) == "ok");
  CHECK(at(from + 24 * kHour + 120'001) == "kCertificateExpired");
}

TEST_CASE_METHOD(Fixture, "an expired certificate may be renewed within the grace and not after") {
  const Certificate made = IssueCertificate(authority, Body());
  clock.Advance(std::chrono::milliseconds(24 * kHour + 120'000 + 10 * kHour));
  CHECK(Outcome(Check(made)) == "kCertificateExpired");
  CHECK(Outcome(Check(made, 10 * kHour)) == "ok");
  clock.Advance(std::chrono::milliseconds(1));
  CHECK(Outcome(Check(made, 10 * kHour)) == "kCertificateExpired");
  // Its form alone still holds, for records.
  CHECK(CheckCertificateSignature(made, authority.Public()));
}

TEST_CASE_METHOD(Fixture, "a clock that is off is told with how far and which way") {
  const Certificate made = IssueCertificate(authority, Body());
  clock.SetWall(clock.WallNow() - 3 * kHour - 30 * 60'000);
  const auto body = Check(made);
  REQUIRE(Outcome(body) == "kClockOff");
  CHECK_THAT(body.error().message, Catch::Contains("3h30m after"));
  CHECK_THAT(body.error().message, Catch::Contains("this machine's clock is behind"));
  clock.SetWall(clock.WallNow() + 3 * kHour + 30 * 60'000 + 48 * kHour);
  const auto late = Check(made);
  REQUIRE(Outcome(late) == "kCertificateExpired");
  CHECK_THAT(late.error().message, Catch::Contains("1d ago"));
  CHECK_THAT(late.error().message, Catch::Contains("clinic-a"));
}

TEST_CASE_METHOD(Fixture, "the longest labels that are allowed fit into a certificate") {
  CertificateBody body = Body();
  body.name = std::string(63, 'n');
  body.parent = std::string(63, 'p');
  body.labels.clear();
  for (int i = 0; i < 64; ++i) {
    const std::string number = std::to_string(100 + i);
    body.labels[number + std::string(60, 'k')] = std::string(63, 'v');
  }
  CHECK(Check(IssueCertificate(authority, body)));
}

TEST_CASE("certificates are met with the class of failure that the vectors name") {
  const Json vectors = Vectors("certificates.json");
  const VerifyKey authority{Hex32(vectors["authority"])};
  for (const Json& v : vectors["cases"]) {
    INFO(v["what"].get<std::string>());
    const Certificate certificate{Base64(v["body"]), Base64(v["signature"])};
    const Validity validity{v["now"].get<UnixMillis>(), v["skew"].get<UnixMillis>(), v["grace"].get<UnixMillis>()};
    CHECK(Outcome(CheckCertificate(certificate, authority, validity)) == v["expect"]);
  }
}

TEST_CASE("a certificate has the bytes that another implementation makes of the same body") {
  const Json first = Vectors("certificates.json")["cases"][0];
  Bytes seed(32);
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  const auto authority = SigningKey::FromSeed(seed);
  REQUIRE(authority);
  const auto body = CheckCertificateSignature({Base64(first["body"]), Base64(first["signature"])}, authority->Public());
  REQUIRE(body);
  const Certificate again = IssueCertificate(*authority, *body);
  CHECK(again.body == Base64(first["body"]));
  CHECK(again.signature == Base64(first["signature"]));
}

TEST_CASE("renewal is due at two thirds of the life") {
  CertificateBody body;
  body.not_before = 1'000'000;
  body.not_after = 1'000'000 + 30 * 24 * kHour;
  CHECK(RenewalTime(body) == 1'000'000 + 20 * 24 * kHour);
  body.not_before = std::numeric_limits<UnixMillis>::max();
  body.not_after = std::numeric_limits<UnixMillis>::max();
  CHECK(RenewalTime(body) == std::numeric_limits<UnixMillis>::max());
  body.not_before = std::numeric_limits<UnixMillis>::min();
  CHECK(RenewalTime(body) == 3'074'457'345'618'258'602);
}

TEST_CASE("a body whose keys have another length gives keys that verify nothing") {
  CertificateBody body;
  body.sign_key = Bytes(31, 1);
  CHECK(body.SignKey() == VerifyKey{});
  CHECK(body.Transport() == TransportPublic{});
}

}  // namespace
}  // namespace ote::crypto
