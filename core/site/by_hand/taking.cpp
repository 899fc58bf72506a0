#include "core/site/by_hand/taking.h"

#include <fmt/format.h>

#include "core/bundle/trust.h"
#include "core/site/by_hand/records.h"

namespace ote::site {

Result<Judged> Judge(const store::Membership& member, const crypto::TransportPublic& key, const bundle::Header& header,
                     std::string_view kind, std::optional<UnixMillis> dates) {
  OTE_CHECK(bundle::CheckKind(header, kind));
  OTE_CHECK(bundle::CheckReceiver(header, member.name, key));
  Judged judged;
  OTE_TRY(judged.authority, bundle::AuthorityOf(header, member.AuthorityKey()));
  OTE_TRY(judged.issuer, bundle::CheckIssuer(header, judged.authority, member.revocations, dates));
  if (judged.issuer.role != crypto::Role::kRoot) {
    return Fail(ErrorId::kBundleUntrusted,
                fmt::format("the bundle is signed by {}, which is not the root", judged.issuer.name));
  }
  OTE_TRY(const auto newer, bundle::NewerRevocations(header, judged.authority, member.revocations));
  const auto own = FromCbor<crypto::CertificateBody>(member.certificate.body);
  if (newer && own) {
    const auto list = crypto::CheckRevocationList(*newer, judged.authority, 0);
    if (list && list->Contains(own->serial)) {
      return Fail(ErrorId::kRevoked, fmt::format("{}: the root has removed this cluster", member.name),
                  "ask the operator of the root");
    }
  }
  return judged;
}

Result<bool> AddNews(store::Membership& member, const bundle::Header& header, const crypto::VerifyKey& authority,
                     const std::optional<crypto::Certificate>& certificate) {
  bool changed = false;
  OTE_TRY(const auto newer, bundle::NewerRevocations(header, authority, member.revocations));
  if (newer) {
    member.revocations = newer;
    changed = true;
  }
  if (!certificate) return changed;
  const auto issued = crypto::CheckCertificateSignature(*certificate, authority);
  const auto own = FromCbor<crypto::CertificateBody>(member.certificate.body);
  if (issued && own && issued->serial > own->serial && issued->name == member.name &&
      issued->sign_key == own->sign_key && issued->transport_key == own->transport_key) {
    member.certificate = *certificate;
    // The authority changes with the certificate that it issued: one without the other is no membership.
    member.authority_key = crypto::ToBytes(authority.bytes);
    member.successions = header.successions;
    changed = true;
  }
  return changed;
}

Result<std::int64_t> NextSent(store::Store& store) {
  OTE_TRY(auto number, store.Get<HandNumber>("own"));
  HandNumber next = number.value_or(HandNumber{});
  ++next.sent;
  OTE_CHECK(store.Put(next));
  return next.sent;
}

Result<void> CheckSeen(store::Store& store, const std::string& folder, std::int64_t seen, bool restored) {
  OTE_TRY(const auto number, store.Get<HandNumber>("own"));
  const auto sent = number ? number->sent : 0;
  if (seen <= sent) return {};
  if (!restored) {
    return Fail(ErrorId::kFolderRestored,
                fmt::format("{}: the root has number {} from this cluster, and the folder knows of {}: it was restored "
                            "from an older copy",
                            folder, seen, sent),
                "if that is so, and what it lost may be lost: --restored");
  }
  return store.Put(HandNumber{seen});
}

}  // namespace ote::site
