#include "crypto/token.h"

#include <catch2/catch.hpp>
#include <set>

#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

static_assert(!std::is_copy_constructible_v<JoinToken>);

JoinToken Sample(std::vector<std::string> endpoints = {"tcp://10.0.0.1:7440"}) {
  TransportPublic parent;
  parent.bytes.fill(17);
  Fingerprint authority{};
  authority.fill(34);
  return JoinToken::Make(std::move(endpoints), parent, authority);
}

std::string TextOf(const JoinToken& token) { return std::string(AsText(token.Reveal().View())); }

// Whether it is refused as it should be; a function, for one check a loop instead of thousands of assertions.
bool Refused(std::string_view text) {
  const auto token = JoinToken::Parse(text);
  return !token && token.error().id == ErrorId::kTokenMalformed;
}

TEST_CASE("a token says what it carries, and parses into the same") {
  const JoinToken made = Sample({"tcp://10.0.0.1:7440", "tcp://hq.example:7440"});
  const std::string text = TextOf(made);
  CHECK(text.starts_with("ote1." + made.id + "."));
  CHECK(std::ranges::count(text, '.') == 3);
  const auto read = JoinToken::Parse(text);
  REQUIRE(read);
  CHECK(read->id == made.id);
  CHECK(ConstantTimeEqual(read->secret.View(), made.secret.View()));
  CHECK(read->endpoints == made.endpoints);
  CHECK(read->parent_key == made.parent_key);
  CHECK(read->authority == made.authority);
  CHECK(TextOf(*read) == text);
}

TEST_CASE("space and newlines around a token are not part of it") {
  const JoinToken made = Sample();
  const std::string text = TextOf(made);
  for (const std::string& padded : {text + "\n", text + "\r\n", "  " + text + "\t \n", "\n\n" + text}) {
    const auto read = JoinToken::Parse(padded);
    REQUIRE(read);
    CHECK(TextOf(*read) == text);
  }
}

TEST_CASE("every wrong character of a token is noticed") {
  const std::string text = TextOf(Sample());
  int passed = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : kCharacters) {
      std::string wrong = text;
      wrong[i] = c;
      if (c != text[i] && !Refused(wrong)) ++passed;
    }
  }
  CHECK(passed == 0);
}

TEST_CASE("every truncation of a token is noticed, and called that") {
  const std::string text = TextOf(Sample({"tcp://10.0.0.1:7440", "tcp://hq.example:7440"}));
  for (std::size_t n = 1; n < text.size(); ++n) {
    const auto token = JoinToken::Parse(std::string_view(text).substr(0, n));
    INFO(n);
    REQUIRE(Outcome(token) == "kTokenMalformed");
    CHECK(token.error().message.find("it was cut short") != std::string::npos);
  }
}

TEST_CASE("a missing, an added, and two swapped characters are noticed") {
  const std::string text = TextOf(Sample());
  int passed = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string missing = text;
    missing.erase(i, 1);
    if (!Refused(missing)) ++passed;
    for (const char c : kCharacters) {
      std::string added = text;
      added.insert(i, 1, c);
      if (!Refused(added)) ++passed;
    }
    if (i + 1 < text.size() && text[i] != text[i + 1]) {
      std::string swapped = text;
      std::swap(swapped[i], swapped[i + 1]);
      if (!Refused(swapped)) ++passed;
    }
  }
  CHECK(passed == 0);
}

TEST_CASE("the parts of two tokens do not go together") {
  const std::string a = TextOf(Sample());
  const std::string b = TextOf(Sample());
  const std::size_t pin = a.rfind('.');
  REQUIRE(b.rfind('.') == pin);
  CHECK(Refused(a.substr(0, pin) + b.substr(pin)));
  CHECK(Refused(a.substr(0, 15) + b.substr(15)));
}

TEST_CASE("tokens made by another implementation are read the same") {
  const Json vectors = Vectors("tokens.json");
  for (const Json& v : vectors["good"]) {
    const auto token = JoinToken::Parse(v["token"].get<std::string>());
    REQUIRE(token);
    CHECK(token->id == v["id"]);
    CHECK(token->endpoints == v["endpoints"].get<std::vector<std::string>>());
    CHECK(HexEncode(token->secret.View()) == v["secret"]);
    CHECK(HexEncode(token->parent_key.bytes) == v["parentKey"]);
    CHECK(HexEncode(token->authority) == v["authority"]);
    CHECK(HexEncode(token->ProofKey().View()) == v["proofKey"]);
    CHECK(TextOf(*token) == v["token"]);
  }
  for (const Json& v : vectors["bad"]) {
    INFO(v["what"].get<std::string>());
    const auto token = JoinToken::Parse(v["token"].get<std::string>());
    REQUIRE(Outcome(token) == "kTokenMalformed");
    CHECK_THAT(token.error().message, Catch::Contains(v["message"].get<std::string>()));
  }
}

TEST_CASE("a refused token is not repeated in the message") {
  const std::string text = TextOf(Sample());
  const std::string secret = text.substr(16, 43);
  for (std::size_t i = 5; i < text.size(); i += 3) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    const auto token = JoinToken::Parse(wrong);
    REQUIRE_FALSE(token);
    CHECK(token.error().message.find(secret.substr(0, 8)) == std::string::npos);
    CHECK(token.error().hint.find(secret.substr(0, 8)) == std::string::npos);
  }
}

TEST_CASE("ids are ten characters of Crockford's base 32, and do not repeat") {
  std::set<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    const JoinToken token = Sample();
    CHECK(token.id.size() == 10);
    CHECK(token.id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
    ids.insert(token.id);
  }
  CHECK(ids.size() == 200);
}

TEST_CASE("both sides of a token derive the same keys, and neither key is the secret") {
  const JoinToken made = Sample();
  const auto read = JoinToken::Parse(TextOf(made));
  REQUIRE(read);
  CHECK(ConstantTimeEqual(made.ProofKey().View(), read->ProofKey().View()));
  CHECK(made.EnrolmentKey().Public() == read->EnrolmentKey().Public());
  CHECK_FALSE(ConstantTimeEqual(made.ProofKey().View(), made.secret.View()));
  CHECK_FALSE(ConstantTimeEqual(made.ProofKey().View(), made.EnrolmentKey().Secret()));
  CHECK(made.EnrolmentKey().Public() != Sample().EnrolmentKey().Public());
}

TEST_CASE("a token carries one to eight endpoints of at most 256 printable characters") {
  const std::string longest(256, 'x');
  CHECK(CheckEndpoints({"tcp://a:1"}));
  CHECK(CheckEndpoints(std::vector<std::string>(8, longest)));
  CHECK(Outcome(CheckEndpoints({})) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints(std::vector<std::string>(9, "tcp://a:1"))) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints({longest + "x"})) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints({"tcp://a:1", ""})) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints({"tcp://a b:1"})) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints({"tcp://a\n:1"})) == "kEndpointInvalid");
  CHECK(Outcome(CheckEndpoints({"tcp://h\xc3\xb6:1"})) == "kEndpointInvalid");

  const JoinToken full = Sample(std::vector<std::string>(8, longest));
  const auto read = JoinToken::Parse(TextOf(full));
  REQUIRE(read);
  CHECK(read->endpoints == full.endpoints);
}

}  // namespace
}  // namespace ote::crypto
