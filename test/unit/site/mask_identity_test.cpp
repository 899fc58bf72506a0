// Whom a member takes for a member when rounds are masked.
#include "core/site/mask_identity.h"

#include <catch2/catch.hpp>

namespace ote::site {
namespace {

class Tree {
 public:
  Tree() { membership.authority_key.assign(authority_.Public().bytes.begin(), authority_.Public().bytes.end()); }

  crypto::Certificate Certified(const std::string& name, std::uint64_t serial) const {
    crypto::CertificateBody body;
    body.serial = BigId{serial};
    body.name = name;
    body.role = crypto::Role::kMember;
    body.sign_key = Bytes(32, 7);
    body.transport_key = Bytes(32, 8);
    body.not_after = 1'000;
    const auto print = crypto::FingerprintOf(authority_.Public());
    body.authority.assign(print.begin(), print.end());
    return crypto::IssueCertificate(authority_, body);
  }
  void Remove(std::vector<BigId> serials) {
    crypto::RevocationBody list;
    list.number = ++number_;
    list.serials = std::move(serials);
    const auto print = crypto::FingerprintOf(authority_.Public());
    list.authority.assign(print.begin(), print.end());
    membership.revocations = crypto::IssueRevocationList(authority_, list);
  }

  store::Membership membership;

 private:
  crypto::SigningKey authority_ = crypto::SigningKey::Generate();
  std::int64_t number_ = 0;
};

TEST_CASE("who is removed is no member from then on, for a check that was made before as well") {
  Tree tree;
  const auto now = KnownMembersNow(tree.membership);
  const auto then = KnownMembers(tree.membership);
  const auto a = tree.Certified("clinic-a", 11);
  const auto b = tree.Certified("clinic-b", 12);
  REQUIRE(now("clinic-a", a));
  REQUIRE(now("clinic-b", b));
  tree.Remove({BigId{12}});
  CHECK(now("clinic-a", a));
  CHECK(now("clinic-b", b).error().id == ErrorId::kMaskForged);
  CHECK(then("clinic-b", b));
  tree.Remove({BigId{11}, BigId{12}});
  CHECK_FALSE(now("clinic-a", a));
}

TEST_CASE("a certificate counts for the name in it alone, and under this authority alone") {
  const Tree tree;
  const Tree other;
  const auto check = KnownMembersNow(tree.membership);
  CHECK_FALSE(check("clinic-b", tree.Certified("clinic-a", 11)));
  CHECK_FALSE(check("clinic-a", other.Certified("clinic-a", 11)));
}

TEST_CASE("a new authority is the one that certifies from then on") {
  Tree tree;
  const Tree next;
  const auto check = KnownMembersNow(tree.membership);
  REQUIRE(check("clinic-a", tree.Certified("clinic-a", 11)));
  tree.membership.authority_key = next.membership.authority_key;
  CHECK_FALSE(check("clinic-a", tree.Certified("clinic-a", 11)));
  CHECK(check("clinic-a", next.Certified("clinic-a", 11)));
}

TEST_CASE("a list of removed members that cannot be read lets nobody pass") {
  Tree tree;
  tree.Remove({BigId{12}});
  tree.membership.revocations->body.resize(5);
  const auto check = KnownMembersNow(tree.membership);
  CHECK(check("clinic-a", tree.Certified("clinic-a", 11)).error().id == ErrorId::kStoreCorrupt);
}

}  // namespace
}  // namespace ote::site
