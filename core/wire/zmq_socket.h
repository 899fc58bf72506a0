// What both ends of the ZeroMQ transport need of it: sockets set up our way, frames in and out without copying, and the
// events of a socket's connections. The only header that names ZeroMQ types, and none of them whole.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/envelope.h"
#include "core/wire/zmq_transport.h"
#include "crypto/keys.h"

namespace zmq {
class context_t;
class message_t;
class socket_t;
}  // namespace zmq

namespace ote::wire {

// Destroys what is only forward-declared here.
struct ZmqDeleter {
  void operator()(zmq::context_t* context) const noexcept;
  void operator()(zmq::socket_t* socket) const noexcept;
};
using ZmqContext = std::unique_ptr<zmq::context_t, ZmqDeleter>;
using ZmqSocket = std::unique_ptr<zmq::socket_t, ZmqDeleter>;

// kFailed when the system has no more descriptors.
Result<ZmqContext> MakeContext();

// Runs `body` and turns what ZeroMQ throws into an error that `what` names: EADDRINUSE kPortInUse, EACCES kPermission,
// addresses that cannot be kEndpointInvalid, the rest kFailed.
Result<void> Guard(std::string_view what, const std::function<void()>& body);

// Limits, queues, keep-alive, heartbeats and time limits of a socket that faces the network. Throws zmq::error_t.
void ApplyCommonOptions(zmq::socket_t& socket, const ZmqOptions& options);

// The next frame, or false when there is none now. Never blocks; EINTR is retried.
bool ReceiveFrame(zmq::socket_t& socket, zmq::message_t& frame);
// Reads on to the end of the message that `frame` belongs to.
void SkipRest(zmq::socket_t& socket, zmq::message_t& frame);

enum class Sent { kYes, kFull, kNoPeer };
// One message of an optional routing id, frame 1 and an optional blob: all of it or nothing.
Sent SendMessage(zmq::socket_t& socket, std::string_view routing_id, Bytes header, const Blob& blob);

// An envelope of a header frame and a blob frame (empty for none), which is not copied: the blob keeps the frame.
Result<Envelope> Assemble(zmq::message_t&& header, zmq::message_t&& blob);

// Something that happened to a connection of the watched socket: a ZMQ_EVENT_… and its value (a descriptor or errno).
struct MonitorEvent {
  int event = 0;
  int value = 0;
};
// Begins to watch `socket` for the events in `mask`; the socket returned gives them.
ZmqSocket WatchSocket(zmq::context_t& context, zmq::socket_t& socket, int mask);
// Closes both, the watching first: ZeroMQ's own thread would wait for ever to tell of an event that nobody takes. What
// is queued in `socket` has `linger_ms` to leave.
void CloseWatched(ZmqSocket& socket, ZmqSocket& monitor, int linger_ms) noexcept;
std::optional<MonitorEvent> NextMonitorEvent(zmq::socket_t& monitor);

// How long what is queued may take to leave when a transport is destroyed or a link is given up.
inline constexpr int kLingerMs = 1'000;

// A time that only grows, for back-off and grace periods.
std::chrono::milliseconds SteadyNow();

}  // namespace ote::wire
