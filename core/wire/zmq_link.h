// The connecting half of the ZeroMQ transport: one link.
//
// Each attempt has a socket of its own, which is destroyed when the attempt or the connection ends: a DEALER would keep
// what was queued for a lost connection and send it on the next one, and gives up for good when it is refused.
//
// How an attempt ends is read from the socket's events:
//   connected, then HANDSHAKE_FAILED_AUTH               refused: the key was proved, and ours is not admitted
//   connected, then HANDSHAKE_FAILED_PROTOCOL           wrong key: it speaks, and cannot say what the holder would
//   connected, then closed before the handshake ended   a CURVE server whose key is another cannot open our first
//                                                       message, and hangs up (RFC 26). So does one that is just being
//                                                       stopped, and a port forwarder with nobody behind it. So look
//                                                       again at once: wrong key when a greeter at that address speaks
//                                                       CURVE (zmq_probe.h) and the next attempt ends in the same way
//   anything else, such as silence                      down: nobody is there
#pragma once

#include <deque>

#include "core/wire/bulk_dial.h"
#include "core/wire/zmq_endpoint.h"
#include "core/wire/zmq_probe.h"
#include "core/wire/zmq_socket.h"

namespace ote::wire {

class ZmqLink {
 public:
  // `context` must outlive it. kEndpointInvalid.
  static Result<std::unique_ptr<ZmqLink>> Make(zmq::context_t& context, LinkId id, const Target& target,
                                               const crypto::TransportKey& key, const ZmqOptions& options);
  ZmqLink(const ZmqLink&) = delete;
  ZmqLink& operator=(const ZmqLink&) = delete;
  ~ZmqLink();

  // The sockets to poll for input; nullptr when there is none now.
  zmq::socket_t* Socket() noexcept { return up_ ? socket_.get() : nullptr; }
  zmq::socket_t* Monitor() noexcept { return monitor_.get(); }
  zmq::socket_t* Probing() noexcept { return probe_ ? probe_->Socket() : nullptr; }
  // When Serve wants to be called even if nothing arrives.
  std::optional<std::chrono::milliseconds> NextTimer() const;

  // Connects, reconnects, and tells what happened. May add more than one event; few.
  void Serve(std::deque<Event>& out);
  // Takes messages until there are none, or `out` holds `limit` events.
  void Receive(std::deque<Event>& out, std::size_t limit);
  Result<void> Send(Envelope envelope);
  // What else is to be polled, and what is queued there.
  void Wishes(std::vector<PollWish>& out) const;
  void Linger(std::chrono::milliseconds end);
  std::uint64_t BulkMessages() const noexcept { return moved_ + (bulk_ ? bulk_->Side().Moved() : 0); }
  std::uint64_t Dropped() const noexcept { return dropped_ + (bulk_ ? bulk_->Side().Dropped() : 0); }

 private:
  enum class End { kDown, kRefused, kWrongKey, kHungUp };

  ZmqLink(zmq::context_t& context, LinkId id, Target target, crypto::TransportKey key, const ZmqOptions& options)
      : context_(context), id_(id), target_(std::move(target)), key_(std::move(key)), options_(options) {}
  void Start();
  void OnMonitor(const MonitorEvent& event, std::deque<Event>& out);
  void EndAttempt(End end, std::deque<Event>& out);
  void OnProbe(ProbeResult result, std::deque<Event>& out);
  void CloseSockets(int linger_ms);
  void RetryLater();
  void OpenBulk();
  void ReceiveBulk(std::deque<Event>& out, std::size_t limit);
  Event Make(EventKind kind) const;

  zmq::context_t& context_;
  const LinkId id_;
  const Target target_;
  const crypto::TransportKey key_;
  const ZmqOptions options_;
  std::string address_;
  FolderHandle folder_;

  ZmqSocket socket_;
  ZmqSocket monitor_;
  std::unique_ptr<ZmqProbe> probe_;
  std::optional<PeerAddress> there_;  // tcp
  const std::shared_ptr<BlobPool> pool_ = std::make_shared<BlobPool>();
  std::unique_ptr<BulkDial> bulk_;  // while it is up, over tcp
  bool connected_ = false;          // the connection is there, the handshake goes on
  bool up_ = false;
  bool hung_up_before_ = false;  // the last attempt ended in kHungUp, and a CURVE server is there
  std::chrono::milliseconds connected_at_{0};
  std::chrono::milliseconds next_{0};  // when idle: the next attempt; else: the end of patience with this one
  std::chrono::milliseconds backoff_{0};
  std::uint64_t dropped_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace ote::wire
