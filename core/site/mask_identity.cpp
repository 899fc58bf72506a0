#include "core/site/mask_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ote::site {
namespace {

struct OwnMaskIdentity {
  crypto::SigningKey key;
  federate::MaskIdentity identity;
};

// A check, and what it was made of.
struct Known {
  crypto::VerifyKey authority = {};
  Bytes list = {};
  federate::KeyCheck check = nullptr;
};

}  // namespace

federate::KeyCheck KnownMembers(const store::Membership& membership) {
  std::vector<BigId> revoked;
  if (membership.revocations) {
    auto list = FromCbor<crypto::RevocationBody>(membership.revocations->body);
    if (!list) {
      return [error = list.error()](const std::string&, const crypto::Certificate&) -> Result<crypto::VerifyKey> {
        return Fail(ErrorId::kStoreCorrupt, fmt::format("the list of removed members: {}", error.message));
      };
    }
    revoked = std::move(list->serials);
  }
  return federate::CertifiedBy(membership.AuthorityKey(), std::move(revoked));
}

federate::KeyCheck KnownMembersNow(const store::Membership& membership) {
  return [&membership, known = Known()](const std::string& name, const crypto::Certificate& certificate) mutable {
    const ByteView list = membership.revocations ? ByteView(membership.revocations->body) : ByteView();
    const auto authority = membership.AuthorityKey();
    if (!known.check || known.authority != authority || !std::ranges::equal(known.list, list)) {
      known = {authority, Bytes(list.begin(), list.end()), KnownMembers(membership)};
    }
    return known.check(name, certificate);
  };
}

Result<std::shared_ptr<const federate::MaskIdentity>> MaskIdentityOf(const store::StateFolder& folder,
                                                                     const store::Membership& membership) {
  OTE_TRY(auto key, folder.SignKey());
  auto own = std::make_shared<OwnMaskIdentity>(
      OwnMaskIdentity{std::move(key), {membership.name, nullptr, membership.certificate, KnownMembers(membership)}});
  own->identity.key = &own->key;
  return std::shared_ptr<const federate::MaskIdentity>(own, &own->identity);
}

}  // namespace ote::site
