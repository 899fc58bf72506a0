#include "agent/issuer.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/store/key_ring.h"

namespace ote::agent {
namespace {

constexpr UnixMillis kSkew = 120'000;  // that dates are taken with, crypto::Validity

// A serial that may leave the list one day.
struct EndingSerial {
  static constexpr std::string_view kKind = "ending-serial";
  BigId serial;
  UnixMillis until = 0;

  std::string Key() const { return std::to_string(serial.value); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial, kRequired);
    v("until", self.until, kRequired);
  }
};

}  // namespace

Result<Issuer::Issued> Issuer::Issue(crypto::CertificateBody body) {
  OTE_TRY(const auto serial, context_.store.NextNumber("serial"));
  // The root's first certificate, made before there was a store, has serial 1.
  body.serial = BigId{static_cast<std::uint64_t>(serial) + 1};
  body.authority = crypto::ToBytes(Fingerprint());
  return Issued(crypto::IssueCertificate(authority_, body), body);
}

Result<crypto::CertificateBody> Issuer::Check(const crypto::Certificate& certificate) const {
  return crypto::CheckCertificateSignature(certificate, authority_.Public());
}

Result<crypto::RevocationBody> Issuer::List() const {
  if (!context_.membership.revocations) return crypto::RevocationBody{};
  return crypto::CheckRevocationList(*context_.membership.revocations, authority_.Public(), 0);
}

bool Issuer::IsVoid(BigId serial) const {
  const auto list = List();
  return list && list->Contains(serial);
}

Result<bool> Issuer::Void(const std::vector<api::Superseded>& serials) {
  OTE_TRY(auto body, List());
  std::vector<api::Superseded> fresh;
  std::ranges::copy_if(serials, std::back_inserter(fresh), [&](const auto& it) { return !body.Contains(it.serial); });
  if (fresh.empty()) return false;
  const auto now = context_.clock.WallNow();
  OTE_TRY(const auto ending, context_.store.List<EndingSerial>());
  std::vector<EndingSerial> over;
  for (const auto& row : ending) {
    if (row.until + context_.membership.settings.renew_grace_ms + kSkew >= now) continue;
    std::erase(body.serials, row.serial);
    over.push_back(row);
  }
  // The rows that let a serial leave come before the list and go after it: a crash leaves a row too many, no more.
  for (const auto& it : fresh) {
    body.serials.push_back(it.serial);
    if (!it.rekeyed) OTE_CHECK(context_.store.Put(EndingSerial{it.serial, it.until}));
  }
  body.number += 1;
  body.issued_at = now;
  auto membership = context_.membership;
  membership.revocations = crypto::IssueRevocationList(authority_, body);
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  for (const auto& row : over) OTE_CHECK(context_.store.Remove<EndingSerial>(row.Key()));
  return true;
}

Result<api::OperatorBody> Issuer::OperatorsHeld() const {
  if (!context_.membership.operators) return api::OperatorBody{};
  return api::CheckOperatorList(*context_.membership.operators, authority_.Public(), 0);
}

Result<void> Issuer::SetOperators(std::vector<api::Operator> items) {
  OTE_TRY(auto body, OperatorsHeld());
  body.items = std::move(items);
  body.number += 1;
  body.issued_at = context_.clock.WallNow();
  auto membership = context_.membership;
  OTE_TRY(membership.operators, api::IssueOperatorList(authority_, body));
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  return {};
}

Result<void> Issuer::Succeed(const std::string& request_id) {
  const auto now = context_.clock.WallNow();
  OTE_TRY(auto next, store::MakeNextAuthorityKey(context_.folder));
  OTE_TRY(auto own, Check(context_.membership.certificate));
  OTE_TRY(auto list, List());
  OTE_TRY(auto operators, OperatorsHeld());
  OTE_TRY(const auto serial, context_.store.NextNumber("serial"));
  own.serial = BigId{static_cast<std::uint64_t>(serial) + 1};
  list.number += 1;
  list.issued_at = now;
  auto membership = context_.membership;
  membership.successions.push_back(
      crypto::IssueSuccession(authority_, next, static_cast<std::int64_t>(membership.successions.size()) + 1, now));
  membership.authority_key = crypto::ToBytes(next.Public().bytes);
  membership.certificate = crypto::IssueCertificate(next, own);
  membership.revocations = crypto::IssueRevocationList(next, list);
  if (membership.operators) {
    operators.number += 1;
    operators.issued_at = now;
    OTE_TRY(membership.operators, api::IssueOperatorList(next, operators));
  }
  membership.authority_request = request_id;
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  authority_ = std::move(next);
  log::Info("the authority has changed", {{"fingerprint", crypto::ToText(Fingerprint())}});
  // The change has happened; what is left of the old key goes at the next start, if not now.
  if (auto taken = store::TakeNextAuthorityKey(context_.folder); !taken)
    log::Error("the old authority's key is still on disk", {{"why", taken.error().message}});
  return {};
}

}  // namespace ote::agent
