#include "agent/rotation.h"

#include <algorithm>
#include <utility>

#include "core/base/ids.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::string_view kRequestKind = "key-request";
constexpr int kBeatsForChildren = 4;

// Whether the parent may still say yes, when it is asked again.
bool MayPass(ErrorId id) {
  switch (id) {
    case ErrorId::kUnreachable:
    case ErrorId::kTimedOut:
    case ErrorId::kBusy:
    case ErrorId::kStoreFailed:
    case ErrorId::kNoSpace:
    case ErrorId::kFileFailed:
    case ErrorId::kInternal:
      return true;
    default:
      return false;
  }
}

Bytes AsBytesOf(const crypto::Signature& signature) { return {signature.begin(), signature.end()}; }

}  // namespace

Rotation::Rotation(Context& context, Uplink& uplink, store::MemberKeys& keys, NextKey& next)
    : context_(context), uplink_(uplink), keys_(keys), next_(next) {
  uplink_.OnConnected([this] { Welcomed(); });
}

void Rotation::Begin(const std::string& request_id, Done done) {
  if (!uplink_.Connected()) {
    const auto& why = uplink_.Message();
    return done(Fail(ErrorId::kUnreachable, "the parent, which certifies the new keys: " + why, "ote cluster status"));
  }
  const bool under_way = Made() || !waiting_.empty();
  if (!under_way) {
    auto made = KeepRequest(request_id);
    if (made) made = store::MakeNextKeys(context_.folder, keys_);
    if (!made) return done(std::move(made));
    log::Info("own keys change");
  }
  waiting_.push_back(std::move(done));
  if (Made()) Ask();
}

void Rotation::Welcomed() {
  // Of a change that was cut off before both keys were on disk, nobody knows.
  if (keys_.next_sign.has_value() != keys_.next_transport.has_value()) {
    if (auto dropped = store::DropNextKeys(context_.folder, keys_); !dropped)
      log::Error("next keys not dropped", {{"why", dropped.error().message}});
  }
  if (Made()) return Ask();
  Finish({});
}

void Rotation::Ask() {
  if (asking_) return;
  const auto own = context_.membership.Own();
  if (!own) return Finish(Fail(own.error()));
  api::RotateBody body;
  body.serial = own->serial;
  body.sign_key = crypto::ToBytes(keys_.next_sign->Public().bytes);
  body.transport_key = crypto::ToBytes(keys_.next_transport->Public().bytes);
  body.now = context_.clock.WallNow();
  body.nonce = BigId{RandomU64()};
  api::RotateRequest request;
  request.body = ToCbor(body);
  request.signature = AsBytesOf(keys_.sign.Sign("ote-rotate-v1", request.body));
  request.accepted = AsBytesOf(keys_.next_sign->Sign("ote-rotate-accept-v1", request.body));
  asking_ = true;
  uplink_.CallAbove(uplink_.RootName(), api::verb::kMemberRotate, ToJson(request), kPatience,
                    [this](const Result<wire::Envelope>& answer) { Answered(answer); });
}

void Rotation::Answered(const Result<wire::Envelope>& answer) {
  asking_ = false;
  if (!Made()) return;
  const auto reply = answer ? FromWire<api::RenewReply>(answer->body) : Result<api::RenewReply>(Fail(answer.error()));
  const auto fits = reply ? Check(reply->certificate) : Result<void>(Fail(reply.error()));
  if (!fits) return GiveUp(fits.error());
  const auto patience = std::chrono::milliseconds(context_.membership.settings.heartbeat_ms) * kBeatsForChildren;
  next_.Begin(reply->certificate, std::min<std::chrono::milliseconds>(patience, kPatience),
              [this, certificate = reply->certificate] { Install(certificate); });
}

void Rotation::Install(const crypto::Certificate& certificate) {
  if (!Made()) return;
  if (auto taken = Take(certificate); !taken) return GiveUp(taken.error());
  log::Info("own keys changed");
  for (const auto& name : next_.Unheard())
    log::Warn("a child was not heard to know the new key of this cluster", {{"cluster", name}});
  next_.End();
  if (auto done = ListenAnew(context_); !done)
    log::Error("not listening by the new key", {{"why", done.error().message}});
  // The answer to those who wait comes when the parent has seen the new ones.
  uplink_.TellCertificate([this] { uplink_.Reconnect(); });
}

void Rotation::GiveUp(const Error& error) {
  log::Warn("own keys not changed", {{"why", error.message}});
  if (MayPass(error.id)) {
    context_.timers.Cancel(again_);
    again_ = context_.timers.At(context_.clock.SteadyNow() + kAgain, [this] {
      if (Made() && uplink_.Connected()) Ask();
    });
    return;
  }
  if (auto dropped = store::DropNextKeys(context_.folder, keys_); !dropped)
    log::Error("next keys not dropped", {{"why", dropped.error().message}});
  Finish(Fail(error));
}

Result<void> Rotation::Check(const crypto::Certificate& certificate) const {
  OTE_TRY(const auto own, context_.membership.Own());
  OTE_TRY(const auto issued, crypto::CheckCertificateSignature(certificate, context_.membership.AuthorityKey()));
  if (issued.name != own.name || issued.SignKey() != keys_.next_sign->Public() ||
      issued.Transport() != keys_.next_transport->Public()) {
    return Fail(ErrorId::kCertificateInvalid, "the certificate that came is not for the next keys");
  }
  return {};
}

Result<void> Rotation::Take(const crypto::Certificate& certificate) {
  OTE_CHECK(Check(certificate));  // the authority may have changed while the children were told
  auto membership = context_.membership;
  membership.certificate = certificate;
  OTE_TRY(membership.keys_request, KeptRequest());
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  // The change has happened; what is left of the old keys goes at the next start, if not now.
  if (auto done = store::TakeNextKeys(context_.folder, keys_); !done)
    log::Error("old keys are still on disk", {{"why", done.error().message}});
  return {};
}

Result<void> Rotation::KeepRequest(const std::string& request_id) {
  return context_.store.PutDoc(kRequestKind, "", AsBytes(request_id));
}

Result<std::string> Rotation::KeptRequest() {
  OTE_TRY(const auto kept, context_.store.GetDoc(kRequestKind, ""));
  return kept ? std::string(AsText(*kept)) : std::string();
}

void Rotation::Finish(const Result<void>& result) {
  for (auto& done : std::exchange(waiting_, {})) done(result);
}

}  // namespace ote::agent
