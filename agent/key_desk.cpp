#include "agent/key_desk.h"

#include <memory>

namespace ote::agent {
namespace {

constexpr std::string_view kInUse = "in use";

}  // namespace

void KeyDesk::Start() {
  context_.rpc.RegisterCall<api::Empty>(api::verb::kKeyList, kByOperator,
                                        [this](const Request&, const auto&) -> Result<api::KeyList> { return List(); });
  context_.rpc.Register(api::verb::kKeyRotate, kByOperator, [this](Request request) { Rotate(std::move(request)); });
  context_.rpc.Register(api::verb::kKeyTransport, kByOperator,
                        [this](Request request) { RotateTransport(std::move(request)); });
}

api::KeyInfo KeyDesk::AuthorityInfo() const {
  const auto& member = context_.membership;
  api::KeyInfo info;
  info.name = "authority";
  info.key = crypto::ToText(crypto::FingerprintOf(member.AuthorityKey()));
  info.status = kInUse;
  info.changes = static_cast<std::int64_t>(member.successions.size());
  if (!member.successions.empty()) {
    if (const auto link = FromCbor<crypto::SuccessionBody>(member.successions.back().body)) {
      info.since = link->issued_at;
      info.changes = link->number;
    }
  }
  if (root_ != nullptr) info.waiting_for = root_->Behind();
  return info;
}

api::KeyList KeyDesk::List() const {
  api::KeyList list;
  list.items.push_back(AuthorityInfo());
  const auto own = context_.membership.Own();
  const auto add = [&](std::string name, const std::array<std::uint8_t, 32>& key, bool next) {
    api::KeyInfo info;
    info.name = std::move(name);
    info.key = crypto::ToText(key);
    info.status = next ? "next" : kInUse;
    if (next && root_ != nullptr) info.waiting_for = root_->KeyWaitsFor();
    if (own && !next) {
      info.serial = own->serial;
      info.since = own->not_before;
      info.expires_at = own->not_after;
    }
    list.items.push_back(std::move(info));
  };
  add("sign", keys_.sign.Public().bytes, false);
  add("transport", keys_.transport.Public().bytes, false);
  if (keys_.next_sign) add("sign", keys_.next_sign->Public().bytes, true);
  if (keys_.next_transport) add("transport", keys_.next_transport->Public().bytes, true);
  return list;
}

std::vector<api::KeyInfo> KeyDesk::InUse(std::string_view name) const {
  auto items = List().items;
  std::erase_if(items, [name](const auto& info) { return info.name != name || info.status != kInUse; });
  return items;
}

void KeyDesk::RotateTransport(Request request) {
  const auto asked = FromWire<api::TransportRotateRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (root_ == nullptr) {
    return request.Refuse(Error{ErrorId::kPermission,
                                "the transport key of a member changes with its signing key, by its root",
                                "ote key rotate"});
  }
  if (!asked->request_id.empty() && asked->request_id == context_.membership.keys_request)
    return request.Answer(ToJson(api::TransportRotated{InUse("transport"), true, {}}));
  // Shared, since a continuation is copied.
  const auto kept = std::make_shared<Request>(std::move(request));
  root_->RotateTransport(asked->request_id, asked->now, [this, kept](const Result<std::vector<std::string>>& done) {
    if (!done) return kept->Refuse(done.error());
    kept->Answer(ToJson(api::TransportRotated{InUse("transport"), false, *done}));
  });
}

void KeyDesk::Rotate(Request request) {
  const auto asked = FromWire<api::KeyRotateRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (asked->authority && root_ == nullptr) {
    return request.Refuse(Error{ErrorId::kPermission, "the authority: its key is at the root, and this is a member",
                                "at the root: ote key rotate --authority"});
  }
  const auto answer = [this, authority = asked->authority](Request& to, bool already) {
    api::KeyRotated done;
    done.already = already;
    for (auto& info : List().items) {
      if ((info.name == "authority") != authority || info.status != kInUse) continue;
      if (root_ != nullptr && info.name == "transport") continue;  // stays
      done.items.push_back(std::move(info));
    }
    to.Answer(ToJson(done));
  };
  const auto& done_for = asked->authority ? context_.membership.authority_request : context_.membership.keys_request;
  if (!asked->request_id.empty() && asked->request_id == done_for) return answer(request, true);
  if (root_ == nullptr) {
    // Shared, since a continuation is copied.
    const auto kept = std::make_shared<Request>(std::move(request));
    return rotation_.Begin(asked->request_id, [answer, kept](const Result<void>& result) {
      if (result) return answer(*kept, false);
      kept->Refuse(result.error());
    });
  }
  const auto changed = asked->authority ? root_->Succeed(asked->request_id) : root_->RotateOwn(asked->request_id);
  if (!changed) return request.Refuse(changed.error());
  answer(request, false);
}

}  // namespace ote::agent
