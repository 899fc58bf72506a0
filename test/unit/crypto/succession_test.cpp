#include "crypto/succession.h"

#include <catch2/catch.hpp>

using namespace ote;
using namespace ote::crypto;

namespace {

struct Authorities {
  std::vector<SigningKey> keys;
  std::vector<Succession> chain;
  explicit Authorities(int changes) {
    keys.push_back(SigningKey::Generate());
    for (int i = 1; i <= changes; ++i) {
      keys.push_back(SigningKey::Generate());
      chain.push_back(IssueSuccession(keys[keys.size() - 2], keys.back(), i, 1'700'000'000'000 + i));
    }
  }
  Fingerprint Of(std::size_t at) const { return FingerprintOf(keys[at].Public()); }
};

}  // namespace

TEST_CASE("a chain of authorities is walked from the one that is pinned to the last") {
  const Authorities a(3);
  for (std::size_t pinned = 0; pinned <= 3; ++pinned) {
    CHECK(FollowSuccession(a.chain, a.Of(pinned)).value() == a.keys.back().Public());
  }
}

TEST_CASE("a chain that does not begin at the pinned authority, or lacks a link, is refused") {
  const Authorities a(3);
  const Authorities other(1);
  CHECK(FollowSuccession(a.chain, other.Of(0)).error().id == ErrorId::kSuccessionInvalid);
  CHECK(FollowSuccession({}, a.Of(0)).error().id == ErrorId::kSuccessionInvalid);
  for (const std::size_t lost : {std::size_t{0}, std::size_t{1}}) {
    auto chain = a.chain;
    chain.erase(chain.begin() + static_cast<std::ptrdiff_t>(lost));
    CHECK(FollowSuccession(chain, a.Of(0)).error().id == ErrorId::kSuccessionInvalid);
  }
  auto turned = a.chain;
  std::swap(turned[1], turned[2]);
  CHECK(FollowSuccession(turned, a.Of(0)).error().id == ErrorId::kSuccessionInvalid);
}

TEST_CASE("any bit flipped in a link of succession breaks it") {
  const Authorities a(1);
  for (Bytes Succession::*part : {&Succession::body, &Succession::signature, &Succession::accepted}) {
    for (std::size_t i = 0; i < (a.chain[0].*part).size() * 8; ++i) {
      auto chain = a.chain;
      (chain[0].*part)[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
      CHECK_FALSE(CheckSuccession(chain[0], a.keys[0].Public()).has_value());
    }
  }
}

TEST_CASE("a new authority must accept, and an old one must have named it") {
  const Authorities a(1);
  const auto thief = SigningKey::Generate();
  // The old authority names a key whose holder did not take part.
  auto unaccepted = a.chain[0];
  const auto forged = thief.Sign("ote-succession-accept-v1", unaccepted.body);
  unaccepted.accepted.assign(forged.begin(), forged.end());
  CHECK_FALSE(CheckSuccession(unaccepted, a.keys[0].Public()).has_value());
  // A stranger names itself.
  CHECK_FALSE(CheckSuccession(IssueSuccession(thief, thief, 1, 1), a.keys[0].Public()).has_value());
  CHECK_FALSE(CheckSuccession(IssueSuccession(a.keys[0], a.keys[0], 1, 1), a.keys[0].Public()).has_value());
  CHECK_FALSE(CheckSuccession(IssueSuccession(a.keys[0], thief, 0, 1), a.keys[0].Public()).has_value());
}

TEST_CASE("a link of succession goes through a file") {
  const Authorities a(1);
  const auto read = FromCbor<Succession>(ToCbor(a.chain[0])).value();
  CHECK(CheckSuccession(read, a.keys[0].Public()).value().number == 1);
}
