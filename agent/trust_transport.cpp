// The root changes its transport key, and tells others the keys of their parents.
#include <fmt/format.h>

#include <utility>

#include "agent/trust_desk.h"
#include "core/base/log.h"

namespace ote::agent {

void TrustDesk::RotateTransport(const std::string& request_id, bool now, Changed done) {
  if (!change_) {
    if (auto begun = BeginTransport(request_id); !begun) return done(Fail(std::move(begun).error()));
  }
  change_->waiting.push_back(std::move(done));
  if (!next_.UnderWay()) next_.Begin(change_->certificate, std::nullopt, [this] { EndTransport(); });
  if (now) EndTransport();
}

Result<void> TrustDesk::BeginTransport(const std::string& request_id) {
  OTE_TRY(auto own, context_.membership.Own());
  OTE_CHECK(store::MakeNextTransportKey(context_.folder, keys_));
  own.transport_key = crypto::ToBytes(keys_.next_transport->Public().bytes);
  OTE_TRY(auto issued, issuer_.Issue(own));
  log::Info("own transport key changes", {{"serial", issued.second.serial.value}});
  change_.emplace();
  change_->certificate = std::move(issued.first);
  change_->request_id = request_id;
  return {};
}

Result<void> TrustDesk::SwitchTransport() {
  OTE_TRY(const auto before, context_.membership.Own());
  auto membership = context_.membership;
  membership.certificate = change_->certificate;
  membership.keys_request = change_->request_id;
  OTE_CHECK(context_.folder.SaveMembership(membership));
  context_.membership = std::move(membership);
  log::Info("own transport key changed", {});
  if (auto taken = store::TakeNextKeys(context_.folder, keys_); !taken)
    log::Error("the old key is still on disk", {{"why", taken.error().message}});
  // It has changed, whatever comes of the rest: the next start listens by it.
  if (auto anew = ListenAnew(context_); !anew)
    log::Error("not listening by the new key", {{"why", anew.error().message}});
  if (auto voided = issuer_.Void({{before.serial, before.not_after, true}}); !voided)
    log::Error("the old certificate is not void", {{"why", voided.error().message}});
  return {};
}

void TrustDesk::EndTransport() {
  const auto left_out = next_.Unheard();
  next_.End();
  const auto done = SwitchTransport();
  if (!done) {
    log::Error("own transport key not changed", {{"why", done.error().message}});
    if (auto dropped = store::DropNextKeys(context_.folder, keys_); !dropped)
      log::Error("next keys not dropped", {{"why", dropped.error().message}});
  }
  const auto change = std::exchange(change_, std::nullopt);
  for (const auto& fn : change->waiting) {
    if (done) {
      fn(left_out);
    } else {
      fn(Fail(done.error()));
    }
  }
}

Result<void> TrustDesk::CheckSteady() const {
  if (!change_) return {};
  return Fail(ErrorId::kBusy, fmt::format("the transport key of {} is being changed", context_.membership.name),
              "ote key list shows whom it waits for; ote key rotate --transport --now does not wait");
}

Result<api::ParentKey> TrustDesk::KeyOfParent(const std::string& of) const {
  const auto cluster = members_.Find(of);
  if (!cluster) return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", of));
  const auto& own = context_.membership;
  if (cluster->parent.empty() || cluster->parent == own.name) return api::ParentKey{own.certificate};
  const auto* certificate = members_.CertificateOf(cluster->parent);
  if (certificate == nullptr) return Fail(ErrorId::kNotFound, fmt::format("{}: not a member", cluster->parent));
  return api::ParentKey{*certificate};
}

}  // namespace ote::agent
