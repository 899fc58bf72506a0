#include "core/site/mask_identity.h"

#include <utility>

namespace ote::site {
namespace {

struct OwnMaskIdentity {
  crypto::SigningKey key;
  federate::MaskIdentity identity;
};

}  // namespace

federate::KeyCheck KnownMembers(const store::Membership& membership) {
  std::vector<BigId> revoked;
  if (membership.revocations) {
    if (auto list = FromCbor<crypto::RevocationBody>(membership.revocations->body)) revoked = std::move(list->serials);
  }
  return federate::CertifiedBy(membership.AuthorityKey(), std::move(revoked));
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
