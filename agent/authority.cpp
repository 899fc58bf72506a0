#include "agent/authority.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "core/base/log.h"
#include "core/base/units.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr UnixMillis kForgetTokensAfter = 30LL * 24 * 3600 * 1000;
constexpr std::int64_t kMostUses = 1'000'000;
constexpr std::int64_t kLongestTtl = 365LL * 24 * 3600 * 1000;

api::Token Shown(api::Token token, UnixMillis now) {
  token.status = token.StatusAt(now);
  token.proof_key.reset();
  token.transport_key.reset();
  return token;
}

Error TokenError(const api::Token& token, api::TokenStatus status) {
  const std::string what = "token " + token.id;
  constexpr auto kHint = "ask for a new one, made at the root with: ote cluster token create";
  switch (status) {
    case api::TokenStatus::kExpired:
      return Error{ErrorId::kTokenExpired, fmt::format("{}: expired at {}", what, FormatTime(token.expires_at)), kHint};
    case api::TokenStatus::kRevoked:
      return Error{ErrorId::kTokenRevoked, what + ": was revoked at the root", kHint};
    default:
      return Error{ErrorId::kTokenUsedUp,
                   fmt::format("{}: has admitted {} of {} clusters", what, token.used_by.size(), token.uses), kHint};
  }
}

}  // namespace

Authority::Authority(Context& context, Members& members, Issuer& issuer)
    : context_(context), members_(members), issuer_(issuer) {}

Result<void> Authority::Start() {
  const auto now = context_.clock.WallNow();
  OTE_TRY(const auto tokens, context_.store.List<api::Token>());
  for (const auto& token : tokens) {
    if (token.expires_at + kForgetTokensAfter < now) {
      OTE_CHECK(context_.store.Remove<api::Token>(token.id));
    } else {
      Remember(token);
    }
  }
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::TokenRequest>(api::verb::kTokenCreate, kByOperator,
                                      [this](const Request&, const auto& body) { return CreateToken(body); });
  // A relay asks for its own.
  rpc.RegisterCall<api::Empty>(api::verb::kTokenList, kByOperator | kByMember,
                               [this](const Request& request, const auto&) {
                                 return ListTokens(request.who() == kByMember ? request.caller().name : "");
                               });
  rpc.RegisterCall<api::NameRequest>(
      api::verb::kTokenRevoke, kByOperator | kByMember, [this](const Request& request, const auto& body) {
        return RevokeToken(body, request.who() == kByMember ? request.caller().name : "");
      });
  rpc.RegisterCall<api::Empty>(api::verb::kEnrolHello, kByToken,
                               [this](const Request&, const auto&) { return Hello(); });
  rpc.RegisterCall<api::EnrolRequest>(api::verb::kEnrolRequest, kByToken,
                                      [this](const Request& request, const auto& body) {
                                        return Enrol(request.caller().name, context_.membership.name, body);
                                      });
  rpc.RegisterCall<api::CarriedToken>(
      api::verb::kTreeToken, kByMember,
      [this](const Request& request, const auto& body) { return CarriedToken(request, body); });
  rpc.RegisterCall<api::CarriedEnrol>(
      api::verb::kTreeEnrol, kByMember,
      [this](const Request& request, const auto& body) { return CarriedEnrol(request, body); });
  return {};
}

void Authority::Remember(const api::Token& token) {
  tokens_.insert_or_assign(token.id, token);
  // One that admits to a relay opens that door only.
  if (token.transport_key && token.parent.empty()) by_key_.insert_or_assign(*token.transport_key, token.id);
}

std::optional<std::string> Authority::TokenOf(const crypto::TransportPublic& key) const {
  const auto it = by_key_.find(crypto::ToBytes(key.bytes));
  if (it == by_key_.end()) return std::nullopt;
  return it->second;
}

Result<api::TokenReply> Authority::CreateToken(const api::TokenRequest& request) {
  const auto endpoints = EndpointsToTell(context_.membership);
  if (endpoints.empty()) {
    return Fail(ErrorId::kUsage, "token: this agent listens nowhere",
                "ote cluster init NAME --listen tcp://0.0.0.0:7440");
  }
  return MakeToken(request, "", endpoints, context_.transport_key.Public());
}

Result<api::TokenReply> Authority::CarriedToken(const Request& request, const api::CarriedToken& carried) {
  const auto& relay = request.caller().name;
  const auto cluster = members_.Find(relay);
  if (!cluster || !cluster->certificate) return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", relay));
  OTE_TRY(const auto body, issuer_.Check(*cluster->certificate));
  return MakeToken(carried.request, relay, carried.endpoints, body.Transport());
}

Result<api::EnrolReply> Authority::CarriedEnrol(const Request& request, const api::CarriedEnrol& carried) {
  return Enrol(carried.token, request.caller().name, carried.request);
}

Result<api::TokenReply> Authority::MakeToken(const api::TokenRequest& request, const std::string& parent,
                                             const std::vector<std::string>& endpoints,
                                             const crypto::TransportPublic& key) {
  if (request.ttl_ms < 1000 || request.ttl_ms > kLongestTtl) {
    return Fail(ErrorId::kUsage, "token: --ttl must be from 1s to 365d");
  }
  if (request.uses < 1 || request.uses > kMostUses)
    return Fail(ErrorId::kUsage, "token: --uses must be from 1 to 1000000");
  OTE_CHECK(api::CheckLabels(request.labels));
  if (!request.request_id.empty()) {
    for (const auto& [id, token] : tokens_) {
      if (token.request_id == request.request_id) {
        return Fail(ErrorId::kConflict,
                    fmt::format("request {}: made token {}, whose secret was shown then", request.request_id, id),
                    fmt::format("ote cluster token revoke {}", id));
      }
    }
  }
  OTE_CHECK(crypto::CheckEndpoints(endpoints));
  const auto made = crypto::JoinToken::Make(endpoints, key, issuer_.Fingerprint());
  const auto now = context_.clock.WallNow();
  api::Token token;
  token.id = made.id;
  token.created_at = now;
  token.expires_at = now + request.ttl_ms;
  token.uses = request.uses;
  token.labels = request.labels;
  token.request_id = request.request_id;
  token.parent = parent;
  const auto proof = made.ProofKey();
  token.proof_key = Bytes(proof.View().begin(), proof.View().end());
  token.transport_key = crypto::ToBytes(made.EnrolmentKey().Public().bytes);
  OTE_CHECK(context_.store.Put(token));
  Remember(token);
  log::Info("token created", {{"token", token.id}, {"uses", token.uses}, {"until", FormatTime(token.expires_at)}});
  api::TokenReply reply;
  reply.record = Shown(token, now);
  reply.token = AsText(made.Reveal().View());
  return reply;
}

Result<api::TokenList> Authority::ListTokens(const std::string& relay) {
  api::TokenList list;
  for (const auto& [id, token] : tokens_) {
    if (relay.empty() || token.parent == relay) list.items.push_back(Shown(token, context_.clock.WallNow()));
  }
  std::ranges::sort(list.items, {}, [](const api::Token& token) { return std::pair(token.created_at, token.id); });
  return list;
}

Result<api::Token> Authority::RevokeToken(const api::NameRequest& request, const std::string& relay) {
  const auto it = tokens_.find(request.name);
  if (it == tokens_.end() || (!relay.empty() && it->second.parent != relay)) {
    return Fail(ErrorId::kNotFound, fmt::format("token {}: no such token", request.name), "ote cluster token list");
  }
  auto token = it->second;
  token.revoked = true;
  OTE_CHECK(context_.store.Put(token));
  it->second = token;
  log::Info("token revoked", {{"token", token.id}});
  return Shown(token, context_.clock.WallNow());
}

Result<api::EnrolHello> Authority::Hello() {
  return api::EnrolHello{crypto::ToBytes(issuer_.Public().bytes), context_.membership.certificate,
                         context_.clock.WallNow(), context_.membership.successions};
}

Result<api::EnrolBody> Authority::CheckEnrol(const std::string& token_id, const std::string& parent,
                                             const api::EnrolRequest& enrol, api::Token* token) {
  OTE_TRY(const auto body, FromCbor<api::EnrolBody>(enrol.body));
  const auto it = tokens_.find(body.token);
  const bool here =
      it != tokens_.end() && (it->second.parent.empty() ? context_.membership.name : it->second.parent) == parent;
  if (!here || body.token != token_id) {
    return Fail(ErrorId::kTokenUnknown, fmt::format("token {}: not known at this root", body.token));
  }
  *token = it->second;
  const auto proof = crypto::Mac(*token->proof_key, enrol.body);
  if (!crypto::ConstantTimeEqual(proof, enrol.proof)) {
    return Fail(ErrorId::kSignatureInvalid, fmt::format("token {}: the request does not prove its secret", token->id));
  }
  if (body.sign_key.size() != 32 || body.transport_key.size() != 32) {
    return Fail(ErrorId::kSignatureInvalid, "the request holds no keys");
  }
  OTE_CHECK(
      crypto::Verify(crypto::VerifyKey{crypto::AsKey(body.sign_key)}, "ote-enrol-v1", enrol.body, enrol.signature));
  const auto ahead = body.now - context_.clock.WallNow();
  if (std::abs(ahead) > kClockTolerance) {
    return Fail(
        ErrorId::kClockOff,
        fmt::format("cluster {}: its clock is {} {} of the root's", body.name,
                    FormatDuration(milliseconds(std::abs(ahead) / 1000 * 1000)), ahead > 0 ? "ahead" : "behind"),
        "set the clock of the machine that is off, then run the same command again");
  }
  OTE_CHECK(CheckName("cluster", body.name));
  return body;
}

Result<api::EnrolReply> Authority::Enrol(const std::string& token_id, const std::string& parent,
                                         const api::EnrolRequest& enrol) {
  api::Token token;
  OTE_TRY(const auto body, CheckEnrol(token_id, parent, enrol, &token));
  const auto now = context_.clock.WallNow();
  api::EnrolReply reply;
  reply.settings = context_.membership.settings;
  if (context_.membership.revocations) reply.revocations = *context_.membership.revocations;

  const auto known = members_.Find(body.name);
  if (known && known->certificate) {
    OTE_TRY(const auto held, issuer_.Check(*known->certificate));
    if (held.sign_key == body.sign_key && held.transport_key == body.transport_key && held.not_after > now) {
      // A join that was cut off after it was granted, or one that is repeated: the same key, the same answer.
      reply.certificate = *known->certificate;
      reply.already = true;
      return reply;
    }
  }
  if (const auto status = token.StatusAt(now); status != api::TokenStatus::kActive)
    return Fail(TokenError(token, status));
  if (known || body.name == context_.membership.name) {
    return Fail(ErrorId::kNameTaken, fmt::format("cluster {}: the name is taken", body.name),
                fmt::format("choose another --name, or at the root: ote cluster remove {}", body.name));
  }
  if (const auto* other = members_.HolderOf(body.transport_key)) {
    return Fail(ErrorId::kConflict, fmt::format("cluster {}: its keys are those of member {}", body.name, other->name),
                "use another state folder; keys are never shared");
  }
  auto labels = body.labels;
  for (const auto& [key, value] : token.labels) {
    if (const auto it = labels.find(key); it != labels.end() && it->second != value) {
      return Fail(ErrorId::kRoleMismatch,
                  fmt::format("token {}: gives {}={}, not {}={}", token.id, key, value, key, it->second));
    }
    labels[key] = value;
  }
  OTE_CHECK(api::CheckLabels(labels));

  crypto::CertificateBody certificate;
  certificate.name = body.name;
  certificate.role = token.role;
  certificate.parent = parent;
  certificate.labels = labels;
  certificate.sign_key = body.sign_key;
  certificate.transport_key = body.transport_key;
  certificate.not_before = now;
  certificate.not_after = now + context_.membership.certificate_life_ms;
  OTE_TRY(const auto issued, issuer_.Issue(certificate));

  api::Cluster cluster;
  cluster.name = body.name;
  cluster.role = token.role;
  cluster.parent = certificate.parent;
  cluster.labels = labels;
  cluster.serial = issued.second.serial;
  cluster.joined_at = now;
  cluster.expires_at = certificate.not_after;
  cluster.version = body.version;
  cluster.platform = body.platform;
  cluster.certificate = issued.first;
  cluster.trust = api::MemberTrust{};
  cluster.trust->authority = issued.second.authority;
  token.used_by.push_back(body.name);
  auto kept = context_.store.Transaction([&]() -> Result<void> {
    OTE_CHECK(context_.store.Put(token));
    return context_.store.Put(cluster);
  });
  OTE_CHECK(std::move(kept));
  Remember(token);
  OTE_CHECK(members_.Admit(cluster));
  log::Info("cluster enrolled", {{"cluster", cluster.name}, {"token", token.id}, {"serial", cluster.serial.value}});
  reply.certificate = issued.first;
  return reply;
}

}  // namespace ote::agent
