#include "agent/tree/enrol_desk.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "agent/endpoints.h"
#include "core/base/log.h"
#include "crypto/token.h"

namespace ote::agent {
namespace {

constexpr std::chrono::milliseconds kPatience{8'000};
constexpr std::chrono::milliseconds kLineWait{3'000};  // an agent that was started this moment has none yet
constexpr UnixMillis kForgetAfter = 30LL * 24 * 3600 * 1000;
constexpr auto kHint = "ote cluster status; the root alone makes members, and it is not reached through here now";

// Passes a request on to the root as it is, and its answer back.
void Carry(Uplink& uplink, std::string_view verb, Json body, Request request) {
  auto waiting = std::make_shared<Request>(std::move(request));
  uplink.CallAbove(uplink.RootName(), verb, std::move(body), kPatience,
                   [waiting](const Result<wire::Envelope>& answer) {
                     if (!answer) return waiting->Refuse(answer.error());
                     waiting->Answer(answer->body);
                   });
}

}  // namespace

Result<void> EnrolDesk::Start() {
  OTE_TRY(const auto tokens, context_.store.List<api::Token>());
  for (const auto& token : tokens) {
    if (token.expires_at + kForgetAfter < context_.clock.WallNow()) {
      OTE_CHECK(context_.store.Remove<api::Token>(token.id));
    } else if (token.transport_key) {
      by_key_.insert_or_assign(*token.transport_key, token.id);
    }
  }
  uplink_.OnConnected([this] {
    for (auto& [id, fn] : std::exchange(for_line_, {})) fn();
  });
  auto& rpc = context_.rpc;
  rpc.Register(api::verb::kTokenCreate, kByOperator, [this](Request request) { CreateToken(std::move(request)); });
  rpc.Register(api::verb::kTokenList, kByOperator, [this](Request request) { CarryList(std::move(request)); });
  rpc.Register(api::verb::kTokenRevoke, kByOperator, [this](Request request) { CarryRevoke(std::move(request)); });
  rpc.Register(api::verb::kClusterRemove, kByOperator, [this](Request request) { CarryRemove(std::move(request)); });
  rpc.RegisterCall<api::Empty>(api::verb::kEnrolHello, kByToken,
                               [this](const Request&, const auto&) { return Hello(); });
  rpc.Register(api::verb::kEnrolRequest, kByToken, [this](Request request) { Enrol(std::move(request)); });
  return {};
}

std::optional<std::string> EnrolDesk::TokenOf(const crypto::TransportPublic& key) const {
  const auto it = by_key_.find(crypto::ToBytes(key.bytes));
  return it == by_key_.end() ? std::nullopt : std::optional(it->second);
}

void EnrolDesk::WithLine(std::function<void()> fn) {
  if (uplink_.Connected()) return fn();
  const auto id = next_++;
  for_line_.emplace(id, std::move(fn));
  context_.timers.At(context_.clock.SteadyNow() + kLineWait, [this, id] {
    if (auto late = for_line_.extract(id); !late.empty()) late.mapped()();
  });
}

void EnrolDesk::CreateToken(Request request) {
  const auto asked = FromWire<api::TokenRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto endpoints = EndpointsToTell(context_.membership);
  if (endpoints.empty()) {
    return request.Refuse(Error{ErrorId::kTakesNoChildren, context_.membership.name + ": listens nowhere",
                                "ote cluster join … --listen tcp://0.0.0.0:7440"});
  }
  auto waiting = std::make_shared<Request>(std::move(request));
  WithLine([this, waiting, body = ToJson(api::CarriedToken{*asked, endpoints})] {
    uplink_.CallAbove(uplink_.RootName(), api::verb::kTreeToken, body, kPatience,
                      [this, waiting](const Result<wire::Envelope>& answer) {
                        if (!answer) {
                          auto error = answer.error();
                          if (error.hint.empty()) error.hint = kHint;
                          return waiting->Refuse(error);
                        }
                        auto reply = FromWire<api::TokenReply>(answer->body);
                        auto token = reply ? crypto::JoinToken::Parse(reply->token)
                                           : Result<crypto::JoinToken>(Fail(reply.error()));
                        if (!token) return waiting->Refuse(token.error());
                        // The public half, which lets in whoever holds the token.
                        auto kept = reply->record;
                        kept.transport_key = crypto::ToBytes(token->EnrolmentKey().Public().bytes);
                        if (auto saved = context_.store.Put(kept); !saved) return waiting->Refuse(saved.error());
                        by_key_.insert_or_assign(*kept.transport_key, kept.id);
                        waiting->Answer(ToJson(*reply));
                      });
  });
}

void EnrolDesk::CarryList(Request request) {
  Carry(uplink_, api::verb::kTokenList, Json::object(), std::move(request));
}

void EnrolDesk::CarryRevoke(Request request) {
  auto body = request.envelope().body;
  Carry(uplink_, api::verb::kTokenRevoke, std::move(body), std::move(request));
}

// The root makes its certificate void, and everybody on the way hears of it from there.
void EnrolDesk::CarryRemove(Request request) {
  const auto asked = FromWire<api::NameRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (!members_.Find(asked->name)) {
    return request.Refuse(
        Error{ErrorId::kNotFound, fmt::format("cluster {}: not below this one", asked->name), "ote cluster list"});
  }
  Carry(uplink_, api::verb::kClusterRemove, ToJson(*asked), std::move(request));
}

Result<api::EnrolHello> EnrolDesk::Hello() {
  const auto& own = context_.membership;
  return api::EnrolHello{crypto::ToBytes(own.AuthorityKey().bytes), own.certificate, context_.clock.WallNow(),
                         own.successions};
}

void EnrolDesk::Enrol(Request request) {
  const auto asked = FromWire<api::EnrolRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  auto waiting = std::make_shared<Request>(std::move(request));
  WithLine([this, waiting, body = ToJson(api::CarriedEnrol{waiting->caller().name, *asked})] {
    uplink_.CallAbove(uplink_.RootName(), api::verb::kTreeEnrol, body, kPatience,
                      [this, waiting](const Result<wire::Envelope>& answer) {
                        if (!answer) {
                          auto error = answer.error();
                          if (error.hint.empty()) error.hint = kHint;
                          return waiting->Refuse(error);
                        }
                        auto reply = Enrolled(*answer);
                        reply ? waiting->Answer(ToJson(*reply)) : waiting->Refuse(reply.error());
                      });
  });
}

Result<api::EnrolReply> EnrolDesk::Enrolled(const wire::Envelope& answer) {
  OTE_TRY(auto reply, FromWire<api::EnrolReply>(answer.body));
  OTE_TRY(const auto body, crypto::CheckCertificateSignature(reply.certificate, context_.membership.AuthorityKey()));
  auto cluster = members_.Find(body.name).value_or(api::Cluster{});
  if (cluster.serial <= body.serial) {
    cluster.name = body.name;
    cluster.role = body.role;
    cluster.parent = body.parent;
    cluster.labels = body.labels;
    cluster.serial = body.serial;
    cluster.joined_at = body.not_before;
    cluster.expires_at = body.not_after;
    cluster.certificate = reply.certificate;
    OTE_CHECK(members_.Admit(cluster));
  }
  log::Info("cluster enrolled by the root", {{"cluster", body.name}, {"serial", body.serial.value}});
  reply.place = place_(body.name);
  reply.place.guests.clear();
  return reply;
}

}  // namespace ote::agent
