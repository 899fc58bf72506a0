#include "agent/tree/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/api/requests.h"
#include "core/wire/cancel.h"

namespace ote::agent {
namespace {

Destination OriginOf(const wire::Event& event) {
  return event.kind == wire::EventKind::kPeerMessage ? Destination(event.peer) : Destination(event.link);
}

// What one whose certificate is over may ask of the root: another one.
bool ForRenewal(std::string_view verb) { return verb == api::verb::kMemberRenew || verb == api::verb::kTreeTrust; }

}  // namespace

Relay::Relay(Context& context, Members& members, Uplink& uplink, const GuestRule& guest)
    : context_(context), members_(members), uplink_(uplink), guest_(guest) {}

void Relay::Start() {
  context_.rpc.SetRelay({[this](wire::Event& event) { return Take(event); },
                         [this](const Destination& connection) { Lost(connection); },
                         [this](const Destination& origin, std::uint64_t id) { Cancelled(origin, id); }});
}

bool Relay::Take(wire::Event& event) {
  auto& envelope = event.envelope;
  if (envelope.kind != wire::MessageKind::kRequest) {
    const auto it = waiting_.find(envelope.id);
    if (it == waiting_.end() || FirstHop(it->second.hop) != OriginOf(event)) return false;
    PassBack(envelope.id, std::move(envelope));
    return true;
  }
  const bool for_us = envelope.to.empty() || envelope.to == context_.membership.name;
  if (event.kind == wire::EventKind::kPeerMessage && (!envelope.from.empty() || !for_us) && !Speaks(event)) return true;
  if (event.kind == wire::EventKind::kLinkMessage) {
    if (auto taken = guest_.Check(event.link, envelope); !taken) {
      Refuse(event, taken.error());
      return true;
    }
  }
  if (for_us) return false;
  PassOn(event);
  return true;
}

bool Relay::Speaks(wire::Event& event) {
  auto& envelope = event.envelope;
  if (event.caller.kind != wire::CallerKind::kMember) {
    Refuse(event, Error{ErrorId::kPermission, envelope.verb + ": not for this caller", {}});
    return false;
  }
  if (envelope.from.empty()) envelope.from = event.caller.name;
  const bool itself = envelope.from == event.caller.name;
  if (!itself && !members_.IsBelow(event.caller.name, envelope.from)) {
    Refuse(event, Error{ErrorId::kNotBelow,
                        fmt::format("{}: {} speaks for {}, which is not below it", envelope.verb, event.caller.name,
                                    envelope.from),
                        {}});
    return false;
  }
  if (event.caller.renewal_only && !ForRenewal(envelope.verb)) {
    Refuse(event, Error{ErrorId::kCertificateExpired,
                        fmt::format("{}: the certificate of {} has expired; it may only be renewed", envelope.verb,
                                    event.caller.name),
                        {}});
    return false;
  }
  if (!itself) event.caller = wire::Caller{wire::CallerKind::kMember, envelope.from, {}, false};
  return true;
}

Result<Destination> Relay::WayOf(const wire::Event& event) const {
  const auto& to = event.envelope.to;
  if (event.kind == wire::EventKind::kPeerMessage) {
    // Up only: those below have nothing to say to each other.
    if (auto way = uplink_.WayAbove(to)) return *way;
  } else if (auto way = members_.WayTo(to)) {
    return *way;
  }
  return Fail(ErrorId::kNoRoute,
              fmt::format("{}: {} knows no way to {}", event.envelope.verb, context_.membership.name, to));
}

void Relay::PassOn(wire::Event& event) {
  const auto way = WayOf(event);
  if (!way) return Refuse(event, way.error());
  if (waiting_.size() >= kMostWaiting)
    return Refuse(event, Error{ErrorId::kBusy, "too many messages are on their way", {}});
  auto& envelope = event.envelope;
  if (envelope.from.empty()) envelope.from = uplink_.ParentName();
  const auto id = next_++;
  Asked asked{OriginOf(event), envelope.id, *way, envelope.verb, 0};
  envelope.id = id;
  if (auto sent = SendTo(context_.transport, *way, std::move(envelope)); !sent) {
    event.envelope = wire::MakeRequest(asked.id, asked.verb, Json::object());
    return Refuse(event, Error{ErrorId::kForwardFailed, sent.error().message, {}});
  }
  ++passed_;
  asked.timer = context_.timers.At(context_.clock.SteadyNow() + kLongest, [this, id] { waiting_.erase(id); });
  waiting_.emplace(id, std::move(asked));
}

void Relay::PassBack(std::uint64_t id, wire::Envelope envelope) {
  const auto& asked = waiting_.at(id);
  const bool over = envelope.last || envelope.kind == wire::MessageKind::kError;
  envelope.id = asked.id;
  const auto sent = SendTo(context_.transport, asked.origin, std::move(envelope));
  if (sent && !over) return;
  context_.timers.Cancel(asked.timer);
  waiting_.erase(id);
}

void Relay::Refuse(const wire::Event& event, const Error& error) {
  ++refused_;
  if (limiter_.Allow(context_.clock.SteadyNow())) log::Warn("message not passed on", {{"why", error.message}});
  const auto sent = SendTo(context_.transport, OriginOf(event), wire::MakeError(event.envelope, error));
  if (!sent) log::Debug("refusal not sent", {{"why", sent.error().message}});
}

void Relay::Lost(const Destination& connection) {
  std::vector<std::uint64_t> gone;
  for (const auto& [id, asked] : waiting_) {
    if (FirstHop(asked.hop) == connection || asked.origin == connection) gone.push_back(id);
  }
  for (const auto id : gone) {
    const auto asked = std::move(waiting_.extract(id).mapped());
    context_.timers.Cancel(asked.timer);
    if (asked.origin == connection) {
      TellCancelled(asked, id);
      continue;
    }
    const Error error{ErrorId::kForwardFailed, asked.verb + ": the connection behind was lost before the answer", {}};
    const auto request = wire::MakeRequest(asked.id, asked.verb, Json::object());
    if (auto sent = SendTo(context_.transport, asked.origin, wire::MakeError(request, error)); !sent)
      log::Debug("refusal not sent", {{"why", sent.error().message}});
  }
}

void Relay::Cancelled(const Destination& origin, std::uint64_t id) {
  const auto it = std::ranges::find_if(
      waiting_, [&](const auto& entry) { return entry.second.id == id && entry.second.origin == origin; });
  if (it == waiting_.end()) return;
  context_.timers.Cancel(it->second.timer);
  TellCancelled(it->second, it->first);
  waiting_.erase(it);
}

void Relay::TellCancelled(const Asked& asked, std::uint64_t id) {
  const auto sent = SendTo(context_.transport, FirstHop(asked.hop), wire::MakeCancel(id));
  if (!sent) log::Debug("nobody to tell that an answer is not waited for", {{"why", sent.error().message}});
}

}  // namespace ote::agent
