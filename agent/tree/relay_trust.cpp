#include "agent/tree/relay_trust.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::chrono::seconds kPatience{10};

}  // namespace

Result<void> RelayTrust::Start() {
  members_.SetTrust({{}, [this](const wire::Caller&, const api::TrustHeld& held) { return Heard(held); }});
  context_.rpc.RegisterCall<api::CertificateNews>(
      api::verb::kTreeCertificate, kByMember | kByRenewingMember,
      [this](const Request& request, const auto& news) { return TakeCertificate(request, news); });
  uplink_.OnNews([this](const api::TrustNews& news) { TakeNews(news); });
  return DropVoid();
}

api::TrustNews RelayTrust::Heard(const api::TrustHeld& held) const {
  const auto& own = context_.membership;
  api::TrustNews news;
  if (!held.authority.empty() && held.authority != crypto::ToBytes(crypto::FingerprintOf(own.AuthorityKey()))) {
    // Its certificate by the present authority comes from there.
    news.ask_root = true;
    return news;
  }
  if (own.revocations) {
    const auto list = crypto::CheckRevocationList(*own.revocations, own.AuthorityKey(), 0);
    if (list && list->number > held.revocations) news.revocations = own.revocations;
  }
  if (list_number_.Of(own.operators, own.AuthorityKey()) > held.operators) news.operators = own.operators;
  return news;
}

Result<api::Empty> RelayTrust::TakeCertificate(const Request& request, const api::CertificateNews& news) {
  const auto& name = request.caller().name;
  OTE_TRY(const auto body, crypto::CheckCertificateSignature(news.certificate, context_.membership.AuthorityKey()));
  if (body.name != name) {
    return Fail(ErrorId::kCertificateInvalid, fmt::format("{}: shows the certificate of {}", name, body.name));
  }
  auto cluster = members_.Find(name);
  if (!cluster) return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", name));
  if (body.serial < cluster->serial) return api::Empty{};
  cluster->certificate = news.certificate;
  cluster->serial = body.serial;
  cluster->expires_at = body.not_after;
  OTE_CHECK(members_.Keep(*cluster));
  return api::Empty{};
}

void RelayTrust::TakeNews(const api::TrustNews& news) {
  if (!news.revocations && !news.operators) return;
  if (auto dropped = DropVoid(); !dropped) log::Error("state not saved", {{"why", dropped.error().message}});
  // What is lost on the way goes again with the next heartbeat.
  api::TrustNews passed;
  passed.ask_root = !news.successions.empty();
  if (!passed.ask_root) {
    passed.revocations = news.revocations;
    passed.operators = news.operators;
  }
  for (const auto& cluster : members_.List()) {
    if (const auto peer = members_.PeerOf(cluster.name))
      context_.rpc.Call(*peer, api::verb::kTrustNews, ToJson(passed), kPatience, [](const Result<wire::Envelope>&) {});
  }
}

Result<void> RelayTrust::DropVoid() {
  if (!context_.membership.revocations) return {};
  const auto list =
      crypto::CheckRevocationList(*context_.membership.revocations, context_.membership.AuthorityKey(), 0);
  return list ? members_.DropVoid(list->serials) : Result<void>{};
}

}  // namespace ote::agent
