#include "agent/access/desk.h"

#include <fmt/format.h>

#include "agent/authority.h"
#include "core/api/verbs.h"
#include "core/base/log.h"
#include "core/base/units.h"

namespace ote::agent {
namespace {

constexpr std::int64_t kLongestTtl = 3650LL * 24 * 3600 * 1000;
constexpr std::size_t kLongestRequest = 256;

}  // namespace

void AccessDesk::Start() {
  operators_.Refresh();
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::OperatorRequest>(api::verb::kOperatorCreate, kByOperator,
                                         [this](const Request&, const auto& body) { return Create(body); });
  rpc.RegisterCall<api::OperatorRemoveRequest>(api::verb::kOperatorRemove, kByOperator,
                                               [this](const Request&, const auto& body) { return Remove(body); });
  rpc.RegisterCall<api::Empty>(
      api::verb::kOperatorList, kByOperator,
      [this](const Request&, const auto&) -> Result<api::OperatorBody> { return operators_.List(); });
  rpc.RegisterCall<api::AuditQuery>(api::verb::kClusterAudit, kByOperator,
                                    [this](const Request&, const auto& body) { return access_.audit().Read(body); });
}

Result<void> AccessDesk::Check(const api::OperatorRequest& asked) const {
  OTE_CHECK(CheckName("operator", asked.name));
  if (asked.name == api::kLocalOperator) {
    return Fail(ErrorId::kUsage, "operator local: that is the name of the one at the agent's own machine",
                "choose another name");
  }
  if (asked.ttl_ms < 1000 || asked.ttl_ms > kLongestTtl)
    return Fail(ErrorId::kUsage, fmt::format("operator {}: --ttl must be from 1s to 3650d", asked.name));
  if (asked.request_id.size() > kLongestRequest)
    return Fail(ErrorId::kUsage, fmt::format("operator {}: --request-id is too long", asked.name));
  if (!asked.scope.empty()) OTE_CHECK(tree::Selector::Parse(asked.scope));
  if (asked.transport_key.size() != 32)
    return Fail(ErrorId::kUsage, fmt::format("operator {}: the key has not 32 bytes", asked.name));
  const auto* other = operators_.HolderOf(asked.transport_key);
  const bool taken = (other != nullptr && other->name != asked.name) ||
                     members_.HolderOf(asked.transport_key) != nullptr ||
                     asked.transport_key == crypto::ToBytes(context_.transport_key.Public().bytes);
  if (other != nullptr && other->revoked) {
    return Fail(ErrorId::kConflict, fmt::format("operator {}: that key was revoked, and stays so", asked.name),
                "write a new credential to another file: ote key create NAME -o FILE");
  }
  if (taken) return Fail(ErrorId::kConflict, fmt::format("operator {}: the key is another's", asked.name));
  return {};
}

api::OperatorReply AccessDesk::Reply(const api::Operator& record, bool already) const {
  api::OperatorReply reply;
  reply.record = record;
  reply.already = already;
  reply.number = operators_.List().number;
  reply.fingerprint = crypto::ToText(crypto::FingerprintOf(context_.membership.AuthorityKey()));
  const auto& own = context_.membership;
  const auto endpoints = own.advertise.empty() ? AdvertisedEndpoints(own.listen) : own.advertise;
  if (!endpoints.empty()) {
    reply.server = api::OperatorServer{own.name, endpoints, crypto::ToBytes(context_.transport_key.Public().bytes)};
  }
  return reply;
}

Result<void> AccessDesk::Change(const api::Operator& changed) {
  const auto now = context_.clock.WallNow();
  std::vector<api::Operator> items;
  for (const auto& item : operators_.List().items) {
    // One that could not come in anyhow need not stand on the list.
    if (item.name == changed.name || (item.revoked && now > item.expires_at)) continue;
    items.push_back(item);
  }
  items.push_back(changed);
  OTE_CHECK(issuer_->SetOperators(std::move(items)));
  operators_.Refresh();
  trust_->Announce();
  return {};
}

Result<api::OperatorReply> AccessDesk::Create(const api::OperatorRequest& asked) {
  if (issuer_ == nullptr) {
    return Fail(ErrorId::kPermission, "operators are made at the root, and this is a member",
                "at the root: ote key create " + asked.name);
  }
  OTE_CHECK(Check(asked));
  const auto now = context_.clock.WallNow();
  if (const auto* held = operators_.Find(asked.name); held != nullptr && held->ActiveAt(now)) {
    const bool same =
        held->role == asked.role && held->scope == asked.scope && held->transport_key == asked.transport_key;
    if (same) return Reply(*held, true);
    return Fail(ErrorId::kConflict,
                fmt::format("operator {}: is one already, with {}", asked.name,
                            held->transport_key == asked.transport_key ? "another role or scope" : "another key"),
                fmt::format("ote key revoke {}", asked.name));
  }
  if (!asked.request_id.empty()) {
    for (const auto& item : operators_.List().items) {
      if (item.request_id != asked.request_id) continue;
      return Fail(ErrorId::kConflict, fmt::format("request {}: made operator {}{}", asked.request_id, item.name,
                                                  item.revoked ? ", who has been revoked since" : ""));
    }
  }
  api::Operator made;
  made.name = asked.name;
  made.role = asked.role;
  made.scope = asked.scope;
  made.transport_key = asked.transport_key;
  made.created_at = now;
  made.expires_at = now + asked.ttl_ms;
  made.request_id = asked.request_id;
  OTE_CHECK(Change(made));
  log::Info("operator made", {{"operator", made.name}, {"role", NameOf(made.role)}, {"scope", made.scope}});
  return Reply(made, false);
}

Result<api::OperatorReply> AccessDesk::Remove(const api::OperatorRemoveRequest& asked) {
  if (issuer_ == nullptr) {
    return Fail(ErrorId::kPermission, "operators are revoked at the root, and this is a member",
                "at the root: ote key revoke " + asked.name);
  }
  const auto* held = operators_.Find(asked.name);
  if (held == nullptr)
    return Fail(ErrorId::kOperatorUnknown, fmt::format("operator {}: no such operator", asked.name), "ote key list");
  if (held->revoked) return Reply(*held, true);
  auto changed = *held;
  changed.revoked = true;
  OTE_CHECK(Change(changed));
  log::Info("operator revoked", {{"operator", changed.name}});
  return Reply(changed, false);
}

}  // namespace ote::agent
