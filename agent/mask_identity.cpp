#include "agent/mask_identity.h"

#include <utility>

namespace ote::agent {

federate::KeyCheck KnownMembers(const store::Membership& membership) {
  std::vector<BigId> revoked;
  if (membership.revocations) {
    if (auto list = FromCbor<crypto::RevocationBody>(membership.revocations->body)) revoked = std::move(list->serials);
  }
  return federate::CertifiedBy(membership.AuthorityKey(), std::move(revoked));
}

Result<std::shared_ptr<const OwnMaskIdentity>> MaskIdentityOf(const Context& context) {
  OTE_TRY(auto key, context.folder.SignKey());
  const auto& membership = context.membership;
  auto own = std::make_shared<OwnMaskIdentity>(
      OwnMaskIdentity{std::move(key), {membership.name, nullptr, membership.certificate, KnownMembers(membership)}});
  own->identity.key = &own->key;
  return own;
}

}  // namespace ote::agent
