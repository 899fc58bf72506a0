#include "agent/gate.h"

#include "core/base/log.h"

namespace ote::agent {

std::optional<wire::Caller> Gate::Admit(const crypto::TransportPublic& key) {
  if (members_ != nullptr) {
    if (const auto* holder = members_->HolderOf(crypto::ToBytes(key.bytes))) {
      const auto now = clock_.WallNow();
      const bool expired = now > holder->expires_at;
      if (expired && now > holder->expires_at + grace_) {
        log::Warn("turned away: certificate expired beyond the grace", {{"cluster", holder->name}});
        return std::nullopt;
      }
      return wire::Caller{wire::CallerKind::kMember, holder->name, holder->serial, expired};
    }
  }
  if (token_of_) {
    if (const auto token = token_of_(key)) return wire::Caller{wire::CallerKind::kToken, *token, {}, false};
  }
  if (operators_ != nullptr) {
    if (const auto* found = operators_->HolderOf(crypto::ToBytes(key.bytes))) {
      if (found->ActiveAt(clock_.WallNow())) return wire::Caller{wire::CallerKind::kOperator, found->name, {}, false};
      log::Warn("turned away: an operator who is no longer one", {{"operator", found->name}});
    }
  }
  return std::nullopt;
}

std::optional<wire::Caller> Gate::AdmitLocal(const crypto::TransportPublic& key) {
  if (key == control_) return wire::Caller{wire::CallerKind::kOperator, std::string(api::kLocalOperator), {}, false};
  return Admit(key);
}

}  // namespace ote::agent
