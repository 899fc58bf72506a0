// Passes on messages that are for others: up to the clusters above, down to those below. Answers find their way back by
// the numbers that this agent gave the requests. Blobs are passed on as they are, and never looked into.
//
// Whom a message is of is what the connection that it came over may speak for: a child for itself and its subtree, and
// nobody else (kNotBelow). What the parent passes down is of whom it says; what one passes down that is not the own
// parent is held against GuestRule. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/tree/guest_rule.h"
#include "agent/uplink.h"
#include "core/base/log.h"

namespace ote::agent {

class Relay {
 public:
  // How long an answer, or the next part of one, is waited for: longer than anybody who asks does.
  static constexpr std::chrono::milliseconds kLongest{15 * 60'000};
  static constexpr std::size_t kMostWaiting = 100'000;

  Relay(Context& context, Members& members, Uplink& uplink, const GuestRule& guest);

  // Shows itself to the Rpc.
  void Start();

  std::int64_t Passed() const noexcept { return passed_; }
  std::int64_t Refused() const noexcept { return refused_; }
  std::size_t Waiting() const noexcept { return waiting_.size(); }

 private:
  struct Asked {
    Destination origin;
    std::uint64_t id = 0;  // that the origin gave it
    Destination hop;
    std::string verb;
    Timers::Id timer = 0;
  };
  bool Take(wire::Event& event);
  // Whom a request of a child is of; refuses when it may not say so.
  bool Speaks(wire::Event& event);
  void PassOn(wire::Event& event);
  Result<Destination> WayOf(const wire::Event& event) const;
  void PassBack(std::uint64_t id, wire::Envelope envelope);
  void Refuse(const wire::Event& event, const Error& error);
  void Lost(const Destination& connection);
  // Nobody waits for what this connection asked for with `id`: nor do those further on have to.
  void Cancelled(const Destination& origin, std::uint64_t id);
  void TellCancelled(const Asked& asked, std::uint64_t id);

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  const GuestRule& guest_;
  std::map<std::uint64_t, Asked> waiting_;
  std::uint64_t next_ = std::uint64_t{1} << 63;  // apart from those of the Rpc
  std::int64_t passed_ = 0;
  std::int64_t refused_ = 0;
  log::Limiter limiter_;
};

}  // namespace ote::agent
