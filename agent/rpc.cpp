#include "agent/rpc.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "agent/watch/tally.h"
#include "core/wire/cancel.h"

namespace ote::agent {

Destination FirstHop(const Destination& to) {
  if (const auto* route = std::get_if<Route>(&to)) return route->hop;
  if (const auto* upward = std::get_if<Upward>(&to)) return upward->link;
  return to;
}

Result<void> SendTo(wire::Transport& transport, const Destination& to, wire::Envelope envelope) {
  if (const auto* route = std::get_if<Route>(&to)) {
    if (envelope.kind == wire::MessageKind::kRequest) envelope.to = route->to;
    return transport.Send(route->hop, std::move(envelope));
  }
  if (const auto* upward = std::get_if<Upward>(&to)) {
    if (envelope.kind == wire::MessageKind::kRequest) envelope.to = upward->to;
    return transport.Send(upward->link, std::move(envelope));
  }
  if (const auto* peer = std::get_if<wire::PeerId>(&to)) return transport.Send(*peer, std::move(envelope));
  return transport.Send(std::get<wire::LinkId>(to), std::move(envelope));
}

Waits::Token Waits::Add(const Destination& from, std::uint64_t id, std::function<void()> gone) {
  const auto token = next_++;
  all_.emplace(token, Wait{from, id, std::move(gone)});
  return token;
}

void Waits::Gone(const Destination& from, std::optional<std::uint64_t> id) {
  std::vector<Token> gone;
  for (const auto& [token, wait] : all_) {
    if (wait.from == from && (!id || wait.id == *id)) gone.push_back(token);
  }
  for (const auto token : gone) {
    // One may end others.
    if (const auto node = all_.extract(token)) node.mapped().gone();
  }
}

Request::Request(wire::Transport* transport, Destination from, Who who, wire::Caller caller, wire::Envelope envelope,
                 Guard* guard, std::shared_ptr<Waits> waits)
    : transport_(transport),
      from_(from),
      who_(who),
      caller_(std::move(caller)),
      envelope_(std::move(envelope)),
      guard_(guard),
      waits_(std::move(waits)) {}

Request::Request(Request&& other) noexcept
    : transport_(other.transport_),
      from_(other.from_),
      who_(other.who_),
      caller_(std::move(other.caller_)),
      envelope_(std::move(other.envelope_)),
      ended_(std::exchange(other.ended_, nullptr)),
      guard_(other.guard_),
      open_(std::exchange(other.open_, false)),
      gone_(other.gone_),
      waits_(std::move(other.waits_)),
      wait_(std::exchange(other.wait_, 0)) {}

Request& Request::operator=(Request&& other) noexcept {
  if (this != &other) {
    if (open_) Refuse(Error{ErrorId::kInternal, envelope_.verb + ": left unanswered", {}});
    Forget();
    transport_ = other.transport_;
    from_ = other.from_;
    who_ = other.who_;
    caller_ = std::move(other.caller_);
    envelope_ = std::move(other.envelope_);
    ended_ = std::exchange(other.ended_, nullptr);
    guard_ = other.guard_;
    open_ = std::exchange(other.open_, false);
    gone_ = other.gone_;
    waits_ = std::move(other.waits_);
    wait_ = std::exchange(other.wait_, 0);
  }
  return *this;
}

Request::~Request() {
  if (open_) Refuse(Error{ErrorId::kInternal, envelope_.verb + ": left unanswered", {}});
  Forget();
}

void Request::OnGone(std::function<void()> fn) {
  Forget();
  if (waits_ != nullptr) wait_ = waits_->Add(from_, envelope_.id, std::move(fn));
}

void Request::Forget() {
  if (waits_ != nullptr && wait_ != 0) waits_->Remove(std::exchange(wait_, 0));
}

void Request::End(const Error* error) {
  if (!std::exchange(open_, false)) return;
  if (guard_ != nullptr) guard_->Over(*this, error);
  if (const auto ended = std::exchange(ended_, nullptr)) ended(error != nullptr ? &error->id : nullptr);
}

void Request::Answer(Json body, wire::Blob blob) {
  End(nullptr);
  if (guard_ != nullptr) guard_->Filter(*this, body);
  Forget();
  auto reply = wire::MakeReply(envelope_, std::move(body), std::move(blob));
  auto sent = SendTo(*transport_, from_, std::move(reply));
  if (!sent && sent.error().id == ErrorId::kProtocol) {
    // Whoever asked would wait in vain.
    const Error error{
        ErrorId::kFailed,
        fmt::format("{}: the answer is too large for one message ({})", envelope_.verb, sent.error().message),
        "use an ote of this agent's version, which asks for it in pages"};
    sent = SendTo(*transport_, from_, wire::MakeError(envelope_, error));
  }
  if (!sent) log::Debug("answer not sent", {{"verb", envelope_.verb}, {"why", sent.error().message}});
}

bool Request::Item(Json body) {
  if (guard_ != nullptr) guard_->Filter(*this, body);
  auto item = wire::MakeReply(envelope_, std::move(body), {}, false);
  const auto sent = SendTo(*transport_, from_, std::move(item));
  gone_ = !sent && sent.error().id == ErrorId::kUnreachable;
  if (!sent) End(&sent.error());
  return sent.has_value();
}

void Request::Refuse(const Error& error) {
  End(&error);
  Forget();
  auto reply = wire::MakeError(envelope_, error);
  const auto sent = SendTo(*transport_, from_, std::move(reply));
  if (!sent) log::Debug("refusal not sent", {{"verb", envelope_.verb}, {"why", sent.error().message}});
}

Rpc::Rpc(wire::Transport* transport, Timers* timers, const Clock* clock)
    : transport_(transport), timers_(timers), clock_(clock) {}

void Rpc::Register(std::string_view verb, unsigned who, Handler handler) {
  handlers_.insert_or_assign(std::string(verb), std::pair(who, std::move(handler)));
}

std::uint64_t Rpc::Call(const Destination& to, std::string_view verb, Json body, std::chrono::milliseconds patience,
                        Continuation then) {
  const std::uint64_t id = next_id_++;
  const auto sent = SendTo(*transport_, to, wire::MakeRequest(id, verb, std::move(body)));
  const auto now = clock_->SteadyNow();
  if (!sent) {
    // Not from within Call: the caller may hold state that its continuation changes.
    auto error = sent.error();
    const auto timer = timers_->At(now, [this, id, error = std::move(error)] { Finish(id, Fail(error)); });
    waiting_.emplace(id, Waiting{to, std::move(then), timer});
    return id;
  }
  const auto timer = timers_->At(now + patience, [this, id, verb = std::string(verb)] {
    Finish(id, Fail(ErrorId::kTimedOut, fmt::format("{}: no answer in time", verb)));
  });
  waiting_.emplace(id, Waiting{to, std::move(then), timer});
  return id;
}

void Rpc::Cancel(std::uint64_t call) {
  const auto node = waiting_.extract(call);
  if (node.empty()) return;
  timers_->Cancel(node.mapped().timer);
  const auto sent = SendTo(*transport_, FirstHop(node.mapped().to), wire::MakeCancel(call));
  if (!sent) log::Debug("nobody to tell that an answer is not waited for", {{"why", sent.error().message}});
}

std::vector<std::string> Rpc::OperatorVerbs() const {
  std::vector<std::string> verbs;
  for (const auto& [verb, handler] : handlers_) {
    if ((handler.first & kByOperator) != 0) verbs.push_back(verb);
  }
  return verbs;
}

void Rpc::Finish(std::uint64_t id, Result<wire::Envelope> result) {
  const auto node = waiting_.extract(id);
  if (node.empty()) return;
  timers_->Cancel(node.mapped().timer);
  node.mapped().then(std::move(result));
}

void Rpc::Deliver(wire::Event event) {
  const bool from_peer = event.kind == wire::EventKind::kPeerMessage;
  if (const auto cancelled = wire::CancelledBy(event.envelope)) {
    const Destination from = from_peer ? Destination(event.peer) : Destination(event.link);
    if (relay_.cancel) relay_.cancel(from, *cancelled);
    return waits_->Gone(from, *cancelled);
  }
  // What is passed on arrives as this agent's own word, so an operator with rights of their own has to be asked about
  // here: their requests are for this agent, whatever they say.
  const bool stays = from_peer && event.caller.kind == wire::CallerKind::kOperator && guard_ != nullptr &&
                     !guard_->MayPass(event.caller);
  if (!stays && relay_.take && relay_.take(event)) return;
  const Destination from = from_peer ? Destination(event.peer) : Destination(event.link);
  auto& envelope = event.envelope;
  if (envelope.kind != wire::MessageKind::kRequest) {
    const auto it = waiting_.find(envelope.id);
    // An answer counts only from the one that was asked.
    if (it == waiting_.end() || FirstHop(it->second.to) != from) return;
    const auto id = envelope.id;
    if (envelope.kind == wire::MessageKind::kError) {
      Finish(id, Fail(wire::ErrorOf(envelope)));
    } else {
      Finish(id, std::move(envelope));
    }
    return;
  }
  Who who = kByParent;
  if (from_peer) {
    switch (event.caller.kind) {
      case wire::CallerKind::kToken:
        who = kByToken;
        break;
      case wire::CallerKind::kOperator:
        who = kByOperator;
        break;
      case wire::CallerKind::kMember:
        who = event.caller.renewal_only ? kByRenewingMember : kByMember;
        break;
    }
  }
  Request request(transport_, from, who, std::move(event.caller), std::move(envelope),
                  who == kByOperator ? guard_ : nullptr, waits_);
  const auto handler = handlers_.find(request.envelope().verb);
  if (handler == handlers_.end()) {
    return request.Refuse(Error{
        ErrorId::kUnsupported, fmt::format("{}: this agent does not know the verb", request.envelope().verb), {}});
  }
  if (tally_ != nullptr) {
    request.OnEnd([tally = tally_, clock = clock_, verb = handler->first, began = clock_->SteadyNow()](
                      const ErrorId* error) { tally->Answered(verb, error, clock->SteadyNow() - began); });
  }
  if ((handler->second.first & who) == 0) {
    if (limiter_.Allow(clock_->SteadyNow())) {
      log::Warn("request refused", {{"verb", request.envelope().verb}, {"caller", request.caller().name}});
    }
    if (who == kByRenewingMember) {
      return request.Refuse(Error{ErrorId::kCertificateExpired,
                                  fmt::format("{}: the certificate of {} has expired; it may only be renewed",
                                              request.envelope().verb, request.caller().name),
                                  {}});
    }
    return request.Refuse(Error{ErrorId::kPermission,
                                fmt::format("{}: not for {}", request.envelope().verb,
                                            request.caller().name.empty() ? "this caller" : request.caller().name),
                                {}});
  }
  if (who == kByOperator && guard_ != nullptr) {
    if (auto admitted = guard_->Admit(request); !admitted) return request.Refuse(admitted.error());
  }
  // A copy, since a handler may register or replace others.
  const Handler run = handler->second.second;
  run(std::move(request));
}

void Rpc::Lost(const Destination& connection) {
  if (relay_.lost) relay_.lost(connection);
  std::vector<std::uint64_t> gone;
  for (const auto& [request, waiting] : waiting_) {
    if (FirstHop(waiting.to) == connection) gone.push_back(request);
  }
  for (const auto request : gone)
    Finish(request, Fail(ErrorId::kUnreachable, "the connection was lost before the answer"));
  waits_->Gone(connection, std::nullopt);
}

void Rpc::LinkLost(wire::LinkId link) { Lost(link); }
void Rpc::PeerLost(wire::PeerId peer) { Lost(peer); }

}  // namespace ote::agent
