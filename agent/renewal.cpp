#include "agent/renewal.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::chrono::milliseconds kRenewRetry{60'000};

}  // namespace

api::TrustHeld Renewal::Held() const {
  const auto& member = context_.membership;
  api::TrustHeld held;
  if (const auto own = member.Own()) held.serial = own->serial;
  if (member.revocations) {
    if (const auto list = crypto::CheckRevocationList(*member.revocations, member.AuthorityKey(), 0))
      held.revocations = list->number;
  }
  held.operators = list_number_.Of(member.operators, member.AuthorityKey());
  held.authority = crypto::ToBytes(crypto::FingerprintOf(member.AuthorityKey()));
  return held;
}

Result<void> Renewal::CheckOwn(const crypto::CertificateBody& issued) const {
  OTE_TRY(const auto own, context_.membership.Own());
  if (issued.name != own.name || issued.sign_key != own.sign_key || issued.transport_key != own.transport_key)
    return Fail(ErrorId::kCertificateInvalid, "the new certificate is not for this cluster's keys");
  if (issued.serial < own.serial)
    return Fail(ErrorId::kCertificateInvalid, "the new certificate is older than the one that is held");
  return {};
}

Result<void> Renewal::TakeNews(const api::TrustNews& news) {
  if (news.Empty()) return {};
  const auto held = Held();
  auto member = context_.membership;
  auto authority = member.AuthorityKey();
  if (!news.successions.empty()) {
    OTE_TRY(authority, crypto::FollowSuccession(news.successions, crypto::FingerprintOf(authority)));
  }
  const bool succeeded = authority != member.AuthorityKey();
  const bool papers = news.certificate && news.revocations && (news.operators || !member.operators);
  if (succeeded && !papers) {
    return Fail(ErrorId::kSuccessionInvalid, "a new authority came without the papers that it has signed");
  }
  if (news.certificate) {
    OTE_TRY(const auto issued, crypto::CheckCertificateSignature(*news.certificate, authority));
    OTE_CHECK(CheckOwn(issued));
    member.certificate = *news.certificate;
  }
  if (news.revocations) {
    OTE_CHECK(crypto::CheckRevocationList(*news.revocations, authority, held.revocations));
    member.revocations = news.revocations;
  }
  if (news.operators) {
    OTE_CHECK(api::CheckOperatorList(*news.operators, authority, held.operators));
    member.operators = news.operators;
  }
  if (succeeded) {
    const auto from = crypto::SuccessionOf(news.successions, crypto::FingerprintOf(member.AuthorityKey()));
    member.successions.insert(member.successions.end(), news.successions.begin() + static_cast<std::ptrdiff_t>(from),
                              news.successions.end());
    member.authority_key = crypto::ToBytes(authority.bytes);
  }
  OTE_CHECK(context_.folder.SaveMembership(member));
  context_.membership = std::move(member);
  if (hooks_.taken) hooks_.taken(news);
  if (succeeded) {
    log::Info("the tree has a new authority", {{"fingerprint", crypto::ToText(crypto::FingerprintOf(authority))}});
  }
  if (news.certificate) Schedule();
  return {};
}

void Renewal::Schedule() {
  const auto own = context_.membership.Own();
  if (!own) return;
  const auto wait = std::clamp<UnixMillis>(crypto::RenewalTime(*own) - context_.clock.WallNow(), 50, 3'600'000);
  context_.timers.Cancel(renewal_);
  renewal_ = context_.timers.At(context_.clock.SteadyNow() + std::chrono::milliseconds(wait), [this] {
    const auto body = context_.membership.Own();
    if (!body || context_.clock.WallNow() < crypto::RenewalTime(*body)) return Schedule();
    if (hooks_.can_ask()) {
      Renew();
    } else {
      Retry();
    }
  });
}

void Renewal::Retry() {
  // A sixth of the life that is left after renewal is due, at most a minute: short lives are retried often.
  const auto own = context_.membership.Own();
  const auto life = own ? own->not_after - own->not_before : 0;
  const auto wait = std::clamp(std::chrono::milliseconds(life / 18), std::chrono::milliseconds(500), kRenewRetry);
  context_.timers.Cancel(renewal_);
  renewal_ = context_.timers.At(context_.clock.SteadyNow() + wait, [this] {
    if (hooks_.can_ask()) {
      Renew();
    } else {
      Retry();
    }
  });
}

void Renewal::Renew() {
  if (!hooks_.can_ask()) return Retry();
  const auto own = context_.membership.Own();
  if (!own) return;
  api::RenewBody body{own->serial, context_.clock.WallNow(), BigId{RandomU64()}};
  api::RenewRequest request;
  request.body = ToCbor(body);
  const auto signature = sign_.Sign("ote-renew-v1", request.body);
  request.signature.assign(signature.begin(), signature.end());
  hooks_.ask(api::verb::kMemberRenew, ToJson(request),
             [this, before = own->serial](const Result<wire::Envelope>& answer) {
               auto renewed = answer ? TakeCertificate(answer->body) : Result<void>(Fail(answer.error()));
               if (!renewed) {
                 log::Warn("certificate not renewed", {{"why", renewed.error().message}});
                 hooks_.failed(renewed.error());
                 return Retry();
               }
               const auto held = context_.membership.Own();
               // The root's clock says that it is not time yet: asking at once again would only repeat that.
               if (held && held->serial == before) return Retry();
               log::Info("certificate renewed");
               Schedule();
               hooks_.renewed();
             });
}

Result<void> Renewal::TakeCertificate(const Json& body) {
  OTE_TRY(const auto reply, FromWire<api::RenewReply>(body));
  OTE_TRY(const auto issued, crypto::CheckCertificateSignature(reply.certificate, context_.membership.AuthorityKey()));
  OTE_CHECK(CheckOwn(issued));
  context_.membership.certificate = reply.certificate;
  return context_.folder.SaveMembership(context_.membership);
}

}  // namespace ote::agent
