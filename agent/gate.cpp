#include "agent/gate.h"

#include "core/base/log.h"

namespace ote::agent {

std::optional<wire::Caller> Gate::Admit(const crypto::TransportPublic& key) {
  if (key == control_) return wire::Caller{wire::CallerKind::kOperator, "local", {}, false};
  if (members_ != nullptr) {
    if (const auto name = members_->NameOf(Bytes(key.bytes.begin(), key.bytes.end()))) {
      const auto cluster = members_->Find(*name);
      const auto now = clock_.WallNow();
      const bool expired = now > cluster->expires_at;
      if (expired && now > cluster->expires_at + grace_) {
        log::Warn("turned away: certificate expired beyond the grace", {{"cluster", *name}});
        return std::nullopt;
      }
      return wire::Caller{wire::CallerKind::kMember, *name, cluster->serial, expired};
    }
  }
  if (authority_ != nullptr) {
    if (const auto token = authority_->TokenOf(key)) return wire::Caller{wire::CallerKind::kToken, *token, {}, false};
  }
  return std::nullopt;
}

}  // namespace ote::agent
