// Requests over a transport: those that we make, with a continuation and a deadline each, and those that come in, given
// to the handler of their verb once the caller has been found to be allowed.
//
// One thread; nothing here blocks.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/timers.h"
#include "core/api/cluster.h"
#include "core/base/log.h"
#include "core/wire/transport.h"

namespace ote::agent {

class Tally;  // agent/watch/tally.h

// Who may call a verb; may be combined with |.
enum Who : unsigned {
  kByToken = 1,
  kByMember = 2,          // a certified child
  kByRenewingMember = 4,  // a child whose certificate has expired within the grace
  kByParent = 8,
  kByOperator = 16,
};

// A cluster further down, by the child on the way to it.
struct Route {
  wire::PeerId hop;
  std::string to;
  friend bool operator==(const Route&, const Route&) = default;
};
// A cluster further up than the parent, by the link to that.
struct Upward {
  wire::LinkId link;
  std::string to;
  friend bool operator==(const Upward&, const Upward&) = default;
};
using Destination = std::variant<wire::PeerId, wire::LinkId, Route, Upward>;
// The connection that a message to it goes over first.
Destination FirstHop(const Destination& to);
Result<void> SendTo(wire::Transport& transport, const Destination& to, wire::Envelope envelope);

class Request;

// Whether an operator may be told of a cluster. An empty one: of all.
using Sees = std::function<bool(const std::string& name, const api::Labels& labels)>;

// Stands between operators and the handlers.
class Guard {
 public:
  virtual ~Guard() = default;
  // Before the handler runs; a refusal is what the caller gets.
  virtual Result<void> Admit(const Request& request) = 0;
  // Whether an operator's requests for other clusters may be passed on as they are.
  virtual bool MayPass(const wire::Caller& caller) const = 0;
  // What the caller of `request` may see now.
  virtual Sees SeenBy(const Request& request) const = 0;
  // What is answered, before it goes: takes out what the caller may not see.
  virtual void Filter(const Request& request, Json& body) = 0;
  // Before the answer goes (nullptr) or the refusal does. Once for each request of an operator.
  virtual void Over(const Request& request, const Error* error) = 0;
};

// Who waits for what, by the connection that it was asked over.
class Waits {
 public:
  using Token = std::uint64_t;
  Token Add(const Destination& from, std::uint64_t id, std::function<void()> gone);
  void Remove(Token token) { all_.erase(token); }
  // Tells those that this connection asked for with `id`; with nullopt, for whatever. Each once.
  void Gone(const Destination& from, std::optional<std::uint64_t> id);

 private:
  struct Wait {
    Destination from;
    std::uint64_t id = 0;
    std::function<void()> gone;
  };
  std::map<Token, Wait> all_;
  Token next_ = 1;
};

// A request that came in. May be kept (moved) and answered later; one that is destroyed unanswered says kInternal.
class Request {
 public:
  // `guard` may be nullptr.
  Request(wire::Transport* transport, Destination from, Who who, wire::Caller caller, wire::Envelope envelope,
          Guard* guard = nullptr, std::shared_ptr<Waits> waits = nullptr);
  Request(Request&&) noexcept;
  Request& operator=(Request&&) noexcept;
  ~Request();

  Who who() const noexcept { return who_; }
  const wire::Caller& caller() const noexcept { return caller_; }
  // The connection it came over; PeerId unless who() is kByParent.
  const Destination& from() const noexcept { return from_; }
  const wire::Envelope& envelope() const noexcept { return envelope_; }
  // What the caller may be told of, for handlers whose answers are too long to be filtered as a whole.
  Sees Seen() const { return guard_ == nullptr ? Sees() : guard_->SeenBy(*this); }

  // `fn` is called, once and from within the Rpc, when nobody waits for the answer any more: the one who asked said so,
  // or the connection, or one further on, was lost. Not after the end. The request is to be dropped or refused then.
  void OnGone(std::function<void()> fn);
  // Whether the connection was gone when something was last sent.
  bool Gone() const noexcept { return gone_; }

  // An answer that is too large for a message is a refusal that says so.
  void Answer(Json body, wire::Blob blob = {});
  // One item of a stream; false when the connection is gone or its queue is full, and the stream should end.
  bool Item(Json body);
  void Refuse(const Error& error);
  // Called once with what it is answered with, nullptr for no error.
  void OnEnd(std::function<void(const ErrorId*)> fn) { ended_ = std::move(fn); }

 private:
  void End(const Error* error);
  void Forget();

  wire::Transport* transport_;
  Destination from_;
  Who who_;
  wire::Caller caller_;
  wire::Envelope envelope_;
  std::function<void(const ErrorId*)> ended_;
  Guard* guard_ = nullptr;
  bool open_ = true;
  bool gone_ = false;
  std::shared_ptr<Waits> waits_;  // of the Rpc, which may go first
  Waits::Token wait_ = 0;
};

class Rpc {
 public:
  using Handler = std::function<void(Request)>;
  using Continuation = std::function<void(Result<wire::Envelope>)>;

  Rpc(wire::Transport* transport, Timers* timers, const Clock* clock);

  // Each verb once. `who` is a combination of Who.
  void Register(std::string_view verb, unsigned who, Handler handler);
  // A handler from a typed body to a typed answer.
  template <class Body, class Fn>
  void RegisterCall(std::string_view verb, unsigned who, Fn fn) {
    Register(verb, who, [fn = std::move(fn)](Request request) {
      auto body = FromWire<Body>(request.envelope().body);
      if (!body) return request.Refuse(std::move(body).error());
      auto reply = fn(request, *body);
      if (!reply) return request.Refuse(std::move(reply).error());
      request.Answer(ToJson(*reply));
    });
  }

  // Asks; `then` is called exactly once: with the answer, the remote's error, kUnreachable (the connection went, or
  // could not be written to) or kTimedOut after `patience`. Never from within Call itself. Gives a number for Cancel.
  std::uint64_t Call(const Destination& to, std::string_view verb, Json body, std::chrono::milliseconds patience,
                     Continuation then);

  // Waits no longer: `then` is not called, and the one that was asked is told, however far it is. No more than a no-op
  // for what was answered.
  void Cancel(std::uint64_t call);

  struct RelayHooks {
    // Shown every message first: takes those that are for others (true), and may set whom one is of.
    std::function<bool(wire::Event&)> take;
    std::function<void(const Destination&)> lost;
    // What this connection asked for with `id` is not waited for any more.
    std::function<void(const Destination&, std::uint64_t id)> cancel;
  };
  void SetRelay(RelayHooks hooks) { relay_ = std::move(hooks); }

  // Asked about each request of an operator. Must outlive all requests.
  void SetGuard(Guard* guard) { guard_ = guard; }
  // Every verb that an operator may ask for.
  std::vector<std::string> OperatorVerbs() const;

  // What the transport handed out: answers go to their continuation, requests to their handler. `who` for a link is
  // kByParent.
  void Deliver(wire::Event event);
  // Fails what was asked over a link that is lost.
  void LinkLost(wire::LinkId link);
  void PeerLost(wire::PeerId peer);
  // Counts the answers to verbs that are registered; must outlive all requests.
  void SetTally(Tally* tally) { tally_ = tally; }
  std::size_t Pending() const noexcept { return waiting_.size(); }

 private:
  struct Waiting {
    Destination to;
    Continuation then;
    Timers::Id timer;
  };
  void Finish(std::uint64_t id, Result<wire::Envelope> result);
  void Lost(const Destination& connection);

  wire::Transport* transport_;
  Timers* timers_;
  const Clock* clock_;
  std::map<std::string, std::pair<unsigned, Handler>, std::less<>> handlers_;
  std::map<std::uint64_t, Waiting> waiting_;
  RelayHooks relay_;
  std::shared_ptr<Waits> waits_ = std::make_shared<Waits>();
  Guard* guard_ = nullptr;
  std::uint64_t next_id_ = 1;
  log::Limiter limiter_;
  Tally* tally_ = nullptr;
};

}  // namespace ote::agent
