// Links between processes: the one seam between ote and the network.
//
// A Transport both listens (peers: whoever connected to us) and connects (links: whoever we connected to). Everything
// that happens comes out of Wait() as an Event, in one thread. Implementations: ZeroMQ with CURVE (zmq_transport.h), in
// memory (memory_transport.h) and one that loses, repeats and delays (faulty_transport.h), both for tests.
//
// There is no plaintext and no anonymous mode: a peer is admitted by the Admission, by its public key, before any of
// its bytes is seen; a link is up only when the other side has proved the key that was asked for.
//
// One thread makes all calls but Wake(). A message is delivered once or not at all: what was queued when a connection
// is lost is lost with it, and nothing that was sent before goes out on the next one. Whoever needs an answer asks
// again. Messages arrive in the order in which they were sent, but that one with a large blob which is not part of a
// stream may overtake others, or be overtaken (bulk_side.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/wire/envelope.h"
#include "crypto/keys.h"

namespace ote::wire {

enum class CallerKind { kMember, kToken, kOperator };

// Who is behind a connection, decided by its key alone.
struct Caller {
  CallerKind kind = CallerKind::kMember;
  std::string name;           // cluster, token id, or operator
  BigId serial;               // member: of the certificate
  bool renewal_only = false;  // member: its certificate has expired, within the grace
};

// Whether both are the same by kind and name, and `caller`'s serial is not above that of `line`.
bool IsAtMost(const Caller& caller, const Caller& line) noexcept;

// Decides about each new connection. Called from within Wait(), in its thread; must be quick and may not call back.
class Admission {
 public:
  virtual ~Admission() = default;
  // nullopt turns the connection away; the other side learns only that it was refused.
  virtual std::optional<Caller> Admit(const crypto::TransportPublic& key) = 0;
  // The same for a connection that came over the control socket.
  virtual std::optional<Caller> AdmitLocal(const crypto::TransportPublic& key) { return Admit(key); }
};

// A connection to us. Never reused within a process.
struct PeerId {
  std::uint64_t value = 0;
  friend auto operator<=>(PeerId, PeerId) = default;
};
// A connection of ours. Never reused within a process.
struct LinkId {
  std::uint64_t value = 0;
  friend auto operator<=>(LinkId, LinkId) = default;
};

enum class EventKind {
  kPeerMessage,   // peer, caller, envelope
  kLinkMessage,   // link, envelope
  kLinkUp,        // link: connected and both keys proved
  kLinkDown,      // link: lost; the transport goes on trying by itself
  kLinkRefused,   // link: the other side holds the key that we asked for and does not admit ours; tried again, with
                  // back-off
  kLinkWrongKey,  // link: something answered that does not hold the key; tried again, with back-off
  kWoken,         // Wake() was called
};

struct Event {
  EventKind kind = EventKind::kWoken;
  PeerId peer;
  Caller caller;
  LinkId link;
  Envelope envelope;
};

struct Target {
  std::string endpoint;  // tcp://host:port, or ipc://path for the control socket
  crypto::TransportPublic server_key;
};

// What an evicted peer is told: a kError of this verb, id 0, code kRevoked.
inline constexpr std::string_view kEvictedVerb = "link.evicted";
Envelope MakeEvictionNotice();

class Transport {
 public:
  virtual ~Transport() = default;

  // Starts to listen; returns the endpoint with the port that was picked for port 0. kPortInUse, kEndpointInvalid,
  // kPermission. May be called several times (tcp and control socket).
  virtual Result<std::string> Bind(const std::string& endpoint) = 0;
  // The same, by this key, also where this side listens already: those who came there by another are cut then.
  virtual Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) = 0;
  // Begins to connect, and keeps trying with a jittered back-off until Disconnect. `key` is used for this link only.
  virtual Result<LinkId> Connect(const Target& target, const crypto::TransportKey& key) = 0;
  virtual void Disconnect(LinkId link) = 0;
  // Cuts the connections that a caller has now, at once: a member that was removed, or whose certificate is over (its
  // key is asked about anew by Admit). Callers are the same when kind and name are and the serial is not above that of
  // `caller`: a connection under a newer certificate stays. Nothing that the others sent is handed out any more; they
  // get MakeEvictionNotice().
  virtual void Evict(const Caller& caller) = 0;

  // Queues a message. kUnreachable when there is no such connection (any more), kBusy when its queue is full, kProtocol
  // when header or blob exceed kMaxHeader or kMaxChunk: nothing was sent then. The blob's owner may be let go of in
  // another thread.
  virtual Result<void> Send(PeerId peer, Envelope envelope) = 0;
  virtual Result<void> Send(LinkId link, Envelope envelope) = 0;

  // Waits until something happens or `at_most` has passed; returns what happened, in order, at most 64 events.
  // Malformed messages are dropped and counted, never returned.
  virtual std::vector<Event> Wait(std::chrono::milliseconds at_most) = 0;
  // Makes a Wait() in progress, or the next one, return a kWoken. Any thread; never blocks.
  virtual void Wake() = 0;

  // Messages that were dropped since the start: malformed, too large, or from a caller that was evicted. One thread.
  virtual std::uint64_t Dropped() const = 0;
  // Messages that went or came over a bulk line since the start (bulk_side.h). One thread.
  virtual std::uint64_t BulkMessages() const { return 0; }
};

}  // namespace ote::wire
