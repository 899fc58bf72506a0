#include "agent/trust_desk.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/units.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kNewsPatience{10};
constexpr std::size_t kMostAtOnce = 768 << 10;  // bytes of lists in one header

tl::unexpected<Error> NotAMember(const std::string& name) {
  return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", name));
}

}  // namespace

Result<void> TrustDesk::Start() {
  // A removal that a crash cut off between the list and the store.
  for (const auto& cluster : members_.List()) {
    if (cluster.name == context_.membership.name || !issuer_.IsVoid(cluster.serial)) continue;
    log::Warn("a removal is finished", {{"cluster", cluster.name}});
    OTE_CHECK(members_.Drop(cluster.name));
  }
  // A change of the own key that was cut off before it happened.
  if (keys_.next_sign || keys_.next_transport) OTE_CHECK(store::DropNextKeys(context_.folder, keys_));
  OTE_CHECK(Reissue());
  OTE_CHECK(RenewOwn());
  context_.rpc.RegisterCall<api::RenewRequest>(
      api::verb::kMemberRenew, kByMember | kByRenewingMember,
      [this](const Request& request, const auto& body) { return Renew(request, body); });
  context_.rpc.RegisterCall<api::RotateRequest>(
      api::verb::kMemberRotate, kByMember,
      [this](const Request& request, const auto& body) { return Rotate(request, body); });
  context_.rpc.RegisterCall<api::TrustHeld>(
      api::verb::kTreeTrust, kByMember | kByRenewingMember,
      [this](const Request& request, const auto& held) -> Result<api::TrustNews> {
        // Which of its certificates it uses it says itself: its connection is to another.
        return Heard(wire::Caller{wire::CallerKind::kMember, request.caller().name, held.serial, false}, held);
      });
  context_.rpc.RegisterCall<api::Empty>(
      api::verb::kTreeAskParent, kByMember,
      [this](const Request& request, const auto&) { return KeyOfParent(request.caller().name); });
  return {};
}

api::TrustNews TrustDesk::Heard(const wire::Caller& caller, const api::TrustHeld& held) {
  auto cluster = members_.Find(caller.name);
  if (!cluster || !cluster->certificate) return {};
  if (auto settled = Settle(*cluster, caller, held); !settled)
    log::Error("certificates not settled", {{"cluster", caller.name}, {"why", settled.error().message}});
  return NewsFor(*cluster, held);
}

Result<void> TrustDesk::Settle(api::Cluster& cluster, const wire::Caller& caller, const api::TrustHeld& held) {
  auto trust = cluster.trust.value_or(api::MemberTrust{});
  const auto keep = [&]() -> Result<void> {
    cluster.trust = trust;
    return members_.Keep(cluster);
  };
  bool changed = false;
  std::optional<BigId> left;
  if (trust.next) {
    OTE_TRY(const auto next, issuer_.Check(*trust.next));
    if (caller.serial == next.serial) {
      trust.superseded.push_back({cluster.serial, cluster.expires_at, true});
      left = cluster.serial;
      cluster.certificate = std::exchange(trust.next, std::nullopt);
      cluster.serial = next.serial;
      cluster.expires_at = next.not_after;
      changed = true;
    }
  }
  if (!held.authority.empty() && held.authority != trust.authority) {
    trust.authority = held.authority;
    changed = true;
  }
  if (changed) OTE_CHECK(keep());
  if (left) {
    log::Info("cluster has changed its keys", {{"cluster", cluster.name}, {"serial", cluster.serial.value}});
    context_.transport.Evict(wire::Caller{wire::CallerKind::kMember, cluster.name, *left, false});
  }
  if (held.serial != cluster.serial || trust.superseded.empty()) return {};
  OTE_TRY(const bool news, issuer_.Void(trust.superseded));
  trust.superseded.clear();
  OTE_CHECK(keep());
  if (news) Announce();
  return {};
}

api::TrustNews TrustDesk::NewsFor(const api::Cluster& cluster, const api::TrustHeld& held) {
  const auto& own = context_.membership;
  api::TrustNews news;
  if (!held.authority.empty() && held.authority != crypto::ToBytes(issuer_.Fingerprint())) {
    const auto at = crypto::SuccessionOf(own.successions, crypto::AsKey(held.authority));
    if (at == own.successions.size()) {
      if (limiter_.Allow(context_.clock.SteadyNow()))
        log::Warn("a cluster pins an authority that is not known here", {{"cluster", cluster.name}});
      return news;
    }
    news.successions.assign(own.successions.begin() + static_cast<std::ptrdiff_t>(at), own.successions.end());
    news.certificate = cluster.certificate;
    news.revocations = own.revocations;
    news.operators = own.operators;
    return news;
  }
  if (own.revocations) {
    const auto list = crypto::CheckRevocationList(*own.revocations, issuer_.Public(), 0);
    if (list && list->number > held.revocations) news.revocations = own.revocations;
  }
  if (own.operators) {
    const std::size_t before = news.revocations ? news.revocations->body.size() : 0;
    // What has no room goes with the next heartbeat.
    if (list_number_.Of(own.operators, issuer_.Public()) > held.operators &&
        before + own.operators->body.size() <= kMostAtOnce)
      news.operators = own.operators;
  }
  // A renewal whose answer was lost.
  if (held.serial.value != 0 && held.serial < cluster.serial) news.certificate = cluster.certificate;
  return news;
}

void TrustDesk::Announce() {
  for (const auto& shown : members_.List()) {
    const auto cluster = members_.Find(shown.name);
    const auto peer = members_.PeerOf(shown.name);
    if (!cluster || !peer) continue;
    api::TrustHeld held;
    held.revocations = -1;
    held.operators = -1;
    if (cluster->trust) held.authority = cluster->trust->authority;
    // What is lost on the way goes again with the next heartbeat.
    context_.rpc.Call(*peer, api::verb::kTrustNews, ToJson(NewsFor(*cluster, held)), kNewsPatience,
                      [this, name = shown.name](const Result<wire::Envelope>& answer) {
                        if (!answer) return;
                        const auto now = FromWire<api::TrustHeld>(answer->body);
                        if (now) Heard(wire::Caller{wire::CallerKind::kMember, name, {}, false}, *now);
                      });
  }
}

Result<void> TrustDesk::Revoke(const api::Cluster& cluster) {
  std::vector<api::Superseded> serials{{cluster.serial, cluster.expires_at, true}};
  if (cluster.trust) {
    for (auto it : cluster.trust->superseded) {
      it.rekeyed = true;  // for good, as the one that it led to
      serials.push_back(it);
    }
    if (cluster.trust->next) {
      OTE_TRY(const auto next, issuer_.Check(*cluster.trust->next));
      serials.push_back({next.serial, next.not_after, true});
    }
  }
  OTE_TRY(const bool news, issuer_.Void(serials));
  if (news) Announce();
  return {};
}

Result<api::RenewReply> TrustDesk::Renew(const Request& request, const api::RenewRequest& renew) {
  auto cluster = members_.Find(request.caller().name);
  if (!cluster || !cluster->certificate) return NotAMember(request.caller().name);
  // It may be the first word over its next key, when that had no time before it ended.
  OTE_CHECK(Settle(*cluster, request.caller(), {}));
  OTE_TRY(auto body, issuer_.Check(*cluster->certificate));
  OTE_CHECK(crypto::Verify(body.SignKey(), "ote-renew-v1", renew.body, renew.signature));
  OTE_TRY(const auto asked, FromCbor<api::RenewBody>(renew.body));
  // An earlier serial asks again because the answer was lost; a later one was never issued to it.
  if (asked.serial > body.serial) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("{}: serial {} was not issued to it", cluster->name, asked.serial.value));
  }
  const auto now = context_.clock.WallNow();
  if (now > body.not_after + context_.membership.settings.renew_grace_ms) {
    return Fail(
        ErrorId::kCertificateExpired,
        fmt::format("{}: its certificate expired at {}, beyond the grace", cluster->name, FormatTime(body.not_after)),
        "make a token at the root and join again");
  }
  if (now >= crypto::RenewalTime(body)) {
    auto trust = cluster->trust.value_or(api::MemberTrust{});
    trust.superseded.push_back({body.serial, body.not_after, false});
    body.labels = cluster->labels;
    body.not_before = now;
    body.not_after = now + context_.membership.certificate_life_ms;
    OTE_TRY(const auto issued, issuer_.Issue(body));
    cluster->serial = issued.second.serial;
    cluster->expires_at = body.not_after;
    cluster->certificate = issued.first;
    cluster->trust = std::move(trust);
    OTE_CHECK(members_.Keep(*cluster));
    log::Info("certificate renewed", {{"cluster", cluster->name}, {"until", FormatTime(body.not_after)}});
  }
  return api::RenewReply{*cluster->certificate};
}

Result<api::RenewReply> TrustDesk::Rotate(const Request& request, const api::RotateRequest& rotate) {
  auto cluster = members_.Find(request.caller().name);
  if (!cluster || !cluster->certificate) return NotAMember(request.caller().name);
  OTE_CHECK(Settle(*cluster, request.caller(), {}));
  OTE_TRY(const auto certificate, Certify(cluster->name, rotate));
  return api::RenewReply{certificate};
}

Result<crypto::Certificate> TrustDesk::Certify(const std::string& name, const api::RotateRequest& rotate) {
  auto cluster = members_.Find(name);
  if (!cluster || !cluster->certificate) return NotAMember(name);
  OTE_TRY(auto body, issuer_.Check(*cluster->certificate));
  OTE_CHECK(crypto::Verify(body.SignKey(), "ote-rotate-v1", rotate.body, rotate.signature));
  OTE_TRY(const auto asked, FromCbor<api::RotateBody>(rotate.body));
  if (asked.sign_key.size() != 32 || asked.transport_key.size() != 32)
    return Fail(ErrorId::kSignatureInvalid, "the request holds no keys");
  OTE_CHECK(crypto::Verify(crypto::VerifyKey{crypto::AsKey(asked.sign_key)}, "ote-rotate-accept-v1", rotate.body,
                           rotate.accepted));
  if (asked.serial > body.serial) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("{}: serial {} was not issued to it", cluster->name, asked.serial.value));
  }
  auto trust = cluster->trust.value_or(api::MemberTrust{});
  if (trust.next) {
    OTE_TRY(const auto next, issuer_.Check(*trust.next));
    // Asked again: the answer was lost, or the member with it.
    if (next.sign_key == asked.sign_key && next.transport_key == asked.transport_key) return *trust.next;
    trust.superseded.push_back({next.serial, next.not_after, true});
  }
  if (asked.sign_key == body.sign_key || members_.HolderOf(asked.transport_key) != nullptr) {
    return Fail(ErrorId::kConflict, fmt::format("{}: its next keys are in use already", cluster->name),
                "keys are never shared, and never used again");
  }
  body.labels = cluster->labels;
  body.sign_key = asked.sign_key;
  body.transport_key = asked.transport_key;
  body.not_before = context_.clock.WallNow();
  body.not_after = body.not_before + context_.membership.certificate_life_ms;
  OTE_TRY(const auto issued, issuer_.Issue(body));
  trust.next = issued.first;
  cluster->trust = std::move(trust);
  OTE_CHECK(members_.Keep(*cluster));
  log::Info("cluster changes its keys", {{"cluster", cluster->name}, {"serial", issued.second.serial.value}});
  return issued.first;
}

Result<void> TrustDesk::Succeed(const std::string& request_id) {
  OTE_CHECK(CheckSteady());
  OTE_CHECK(issuer_.Succeed(request_id));
  if (signed_) signed_();
  OTE_CHECK(Reissue());
  Announce();
  return {};
}

Result<void> TrustDesk::Reissue() {
  // What stands in the store was checked when it was issued, by an authority that is no more.
  const auto again = [this](std::optional<crypto::Certificate>& certificate) -> Result<crypto::CertificateBody> {
    OTE_TRY(auto body, FromCbor<crypto::CertificateBody>(certificate->body));
    OTE_TRY(auto issued, issuer_.Issue(std::move(body)));
    certificate = std::move(issued.first);
    return std::move(issued.second);
  };
  return context_.store.Transaction([&]() -> Result<void> {
    for (const auto& shown : members_.List()) {
      auto cluster = members_.Find(shown.name);
      if (!cluster || !cluster->certificate || issuer_.Check(*cluster->certificate)) continue;
      OTE_TRY(const auto body, again(cluster->certificate));
      cluster->serial = body.serial;
      if (cluster->trust && cluster->trust->next) {
        OTE_CHECK(again(cluster->trust->next));
        // Which key a connection is by is told by its serial: those of before must come again.
        context_.transport.Evict(wire::Caller{wire::CallerKind::kMember, cluster->name, body.serial, false});
      }
      OTE_CHECK(members_.Keep(*cluster));
    }
    return {};
  });
}

Result<void> TrustDesk::RotateOwn(const std::string& request_id) {
  OTE_CHECK(CheckSteady());
  OTE_TRY(auto own, context_.membership.Own());
  OTE_CHECK(store::MakeNextSignKey(context_.folder, keys_));
  own.sign_key = crypto::ToBytes(keys_.next_sign->Public().bytes);
  OTE_TRY(const auto issued, issuer_.Issue(own));
  auto membership = context_.membership;
  membership.certificate = issued.first;
  membership.keys_request = request_id;
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  log::Info("own signing key changed", {{"serial", issued.second.serial.value}});
  if (auto taken = store::TakeNextKeys(context_.folder, keys_); !taken)
    log::Error("the old key is still on disk", {{"why", taken.error().message}});
  return {};
}

Result<void> TrustDesk::RenewOwn() {
  OTE_TRY(auto own, context_.membership.Own());
  const auto now = context_.clock.WallNow();
  if (now >= crypto::RenewalTime(own)) {
    const auto life = own.not_after - own.not_before;
    own.not_before = now;
    own.not_after = now + life;
    OTE_TRY(const auto issued, issuer_.Issue(own));
    context_.membership.certificate = issued.first;
    OTE_CHECK(context_.folder.SaveMembership(context_.membership));
    log::Info("own certificate renewed", {{"until", FormatTime(own.not_after)}});
    own = issued.second;
  }
  // Looked at again at the latest in an hour, since the calendar may be set meanwhile.
  const auto wait = std::clamp<UnixMillis>(crypto::RenewalTime(own) - now, 1000, 3'600'000);
  context_.timers.At(context_.clock.SteadyNow() + milliseconds(wait), [this] {
    if (auto renewed = RenewOwn(); !renewed)
      log::Error("own certificate not renewed", {{"why", renewed.error().message}});
  });
  return {};
}

std::vector<std::string> TrustDesk::Behind() const {
  const auto present = crypto::ToBytes(issuer_.Fingerprint());
  std::vector<std::string> names;
  for (const auto& shown : members_.List()) {
    const auto cluster = members_.Find(shown.name);
    if (cluster && (!cluster->trust || cluster->trust->authority != present)) names.push_back(cluster->name);
  }
  return names;
}

}  // namespace ote::agent
