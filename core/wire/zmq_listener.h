// The listening half of the ZeroMQ transport: one ROUTER for all who connect to us, and the ZAP handler (RFC 27) that
// admits them.
//
// Who a connection belongs to. When ZAP admits a key, the Caller is written into the connection's User-Id with a number
// that no other connection ever gets; ZeroMQ hands the User-Id out with every message, and no peer can see or set it.
// That number is the PeerId. A routing id, which a peer may choose, only says where an answer goes: ZeroMQ refuses one
// that another connection holds, and here a peer whose routing id changes, or was chosen at all, is not heard.
//
// ZeroMQ 4.3 lets everyone in when no ZAP handler is there. Ours is bound before the ROUTER and closed after it, and a
// message of a connection without our User-Id is not heard.
//
// Eviction. ZeroMQ 4.3 cannot close one connection of a ROUTER. So an eviction draws a line: User-Ids of that caller
// with a smaller number, and a serial up to that of the eviction, are void, for good. Such a peer is told
// (MakeEvictionNotice), and a moment later its descriptor is shut down, when it is known, that is when the peer ever
// sent something; one that did not is cut at its first message. It may connect again at once, and Admit decides.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/base/log.h"
#include "core/wire/bulk_port.h"
#include "core/wire/zmq_endpoint.h"
#include "core/wire/zmq_socket.h"

namespace ote::wire {

class ZmqListener {
 public:
  // Both must outlive it, and so must `context`.
  ZmqListener(zmq::context_t& context, const crypto::TransportKey& key, Admission& admission,
              const ZmqOptions& options);
  ZmqListener(const ZmqListener&) = delete;
  ZmqListener& operator=(const ZmqListener&) = delete;
  ~ZmqListener();

  // Makes the sockets. Throws zmq::error_t.
  void Open();
  // `as` instead of the listener's own key, unless it is nullptr, needed only during the call: also where it listens
  // already, and those who came there are cut then.
  Result<std::string> Bind(const std::string& endpoint, const crypto::TransportKey* as);
  Result<void> Send(PeerId peer, Envelope envelope);
  void Evict(const Caller& caller);

  zmq::socket_t& Router() noexcept { return *router_; }
  zmq::socket_t& Zap() noexcept { return *zap_; }
  zmq::socket_t& Monitor() noexcept { return *monitor_; }

  // Answers those who ask to be admitted, and forgets those who are gone.
  void Serve();
  // Takes messages until there are none, or `out` holds `limit` events.
  void Receive(std::deque<Event>& out, std::size_t limit);
  // When Serve wants to be called even if nothing arrives.
  std::optional<std::chrono::milliseconds> NextTimer() const;
  // What else is to be polled, and what is queued there.
  void Wishes(std::vector<PollWish>& out) const { bulk_.Wishes(out); }
  void Linger(std::chrono::milliseconds end) { bulk_.Linger(end); }
  std::uint64_t BulkMessages() const noexcept { return bulk_.Moved(); }
  std::uint64_t Dropped() const noexcept { return dropped_ + bulk_.Dropped(); }

 private:
  struct Peer {
    std::string routing_id;
    Caller caller;
    int descriptor = -1;
  };
  struct Cut {
    int descriptor = -1;
    std::chrono::milliseconds at{};
  };
  using CallerKey = std::pair<CallerKind, std::string>;
  struct Line {
    std::uint64_t peer = 0;  // from here on anew
    BigId serial;
  };

  // Lets go of an endpoint that is listened at, and of those who connected to it.
  Result<void> Unbind(const std::string& address);
  void Forget(std::map<PeerId, Peer>::iterator it);
  void ForgetPeer(PeerId peer);
  Sent SendByCurve(PeerId peer, Bytes header, const Blob& blob);
  void ReceiveBulk(std::deque<Event>& out, std::size_t limit);
  void AnswerZap();
  void ForgetGone();
  void DoCuts();
  bool Void(PeerId peer, const Caller& caller) const;
  // Hears one message of `peer`; false when it is to be dropped.
  bool Hear(PeerId peer, const Caller& caller, std::string routing_id, int descriptor);
  void Dismiss(const std::string& routing_id, int descriptor);
  void CountDropped(std::string_view why, const Caller* caller);

  zmq::context_t& context_;
  const crypto::TransportKey& key_;
  Admission& admission_;
  const ZmqOptions options_;
  std::vector<FolderHandle> folders_;         // of long socket paths; closed after the sockets
  std::map<std::string, std::string> bound_;  // by the endpoint as it was told: as ZeroMQ knows it
  ZmqSocket zap_;
  ZmqSocket router_;
  ZmqSocket monitor_;
  std::map<PeerId, Peer> peers_;
  std::map<int, PeerId> by_descriptor_;
  std::map<CallerKey, std::vector<Line>> void_below_;
  std::vector<Cut> cuts_;
  std::uint64_t next_peer_ = 1;
  std::uint64_t dropped_ = 0;
  log::Limiter limiter_;
  BulkPort bulk_;
};

}  // namespace ote::wire
