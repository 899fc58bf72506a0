#include "core/wire/zmq_socket.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <zmq.hpp>

namespace ote::wire {
namespace {

// Below this a copy costs less than the bookkeeping of sharing.
constexpr std::size_t kCopyBelow = 4096;
constexpr int kHeartbeatMs = 5'000;
constexpr int kHeartbeatTimeoutMs = 15'000;

ErrorId IdOf(int number) {
  switch (number) {
    case EADDRINUSE:
      return ErrorId::kPortInUse;
    case EACCES:
    case EPERM:
      return ErrorId::kPermission;
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case EPROTONOSUPPORT:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOTDIR:
      return ErrorId::kEndpointInvalid;
    default:
      return ErrorId::kFailed;
  }
}

void DropOwner(void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }
void DropBytes(void*, void* hint) { delete static_cast<Bytes*>(hint); }

zmq::message_t FrameOf(Bytes&& bytes) {
  if (bytes.size() < kCopyBelow) return {bytes.data(), bytes.size()};
  auto owner = std::make_unique<Bytes>(std::move(bytes));
  zmq::message_t frame(owner->data(), owner->size(), DropBytes, owner.get());
  static_cast<void>(owner.release());  // DropBytes has it now
  return frame;
}

zmq::message_t FrameOf(const Blob& blob) {
  const ByteView view = blob.View();
  if (view.size() < kCopyBelow || !blob.Owner()) return {view.data(), view.size()};
  auto owner = std::make_unique<std::shared_ptr<const void>>(blob.Owner());
  // ZeroMQ wants a mutable pointer and does not write through it.
  zmq::message_t frame(const_cast<std::uint8_t*>(view.data()), view.size(), DropOwner, owner.get());
  static_cast<void>(owner.release());
  return frame;
}

bool TrySend(zmq::socket_t& socket, zmq::message_t& frame, zmq::send_flags flags) {
  while (true) {
    try {
      return socket.send(frame, flags | zmq::send_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

}  // namespace

void ZmqDeleter::operator()(zmq::context_t* context) const noexcept { delete context; }
void ZmqDeleter::operator()(zmq::socket_t* socket) const noexcept { delete socket; }

std::chrono::milliseconds SteadyNow() { return SystemClock().SteadyNow(); }

Result<ZmqContext> MakeContext() {
  ZmqContext context;
  OTE_CHECK(Guard("start the transport", [&context] { context.reset(new zmq::context_t(1)); }));
  return context;
}

Result<void> Guard(std::string_view what, const std::function<void()>& body) {
  try {
    body();
    return {};
  } catch (const zmq::error_t& error) {
    return Fail(IdOf(error.num()), std::string(what) + ": " + error.what());
  }
}

void ApplyCommonOptions(zmq::socket_t& socket, const ZmqOptions& options) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, options.queue);
  socket.set(zmq::sockopt::rcvhwm, options.queue);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxChunk + kMaxHeader));
  socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(options.handshake.count()));
  socket.set(zmq::sockopt::ipv6, true);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 60);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 10);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
  socket.set(zmq::sockopt::heartbeat_ivl, kHeartbeatMs);
  socket.set(zmq::sockopt::heartbeat_timeout, kHeartbeatTimeoutMs);
  socket.set(zmq::sockopt::heartbeat_ttl, kHeartbeatTimeoutMs);
}

bool ReceiveFrame(zmq::socket_t& socket, zmq::message_t& frame) {
  while (true) {
    try {
      return socket.recv(frame, zmq::recv_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

void SkipRest(zmq::socket_t& socket, zmq::message_t& frame) {
  while (frame.more() && ReceiveFrame(socket, frame)) {
  }
}

Sent SendMessage(zmq::socket_t& socket, std::string_view routing_id, Bytes header, const Blob& blob) {
  zmq::message_t body = FrameOf(std::move(header));
  const auto body_flags = blob.empty() ? zmq::send_flags::none : zmq::send_flags::sndmore;
  zmq::message_t first = routing_id.empty() ? std::move(body) : zmq::message_t(routing_id.data(), routing_id.size());
  const auto first_flags = routing_id.empty() ? body_flags : zmq::send_flags::sndmore;
  try {
    if (!TrySend(socket, first, first_flags)) {
      // Whether there is room is news that ZeroMQ looks at only now and then, unless it is asked for its events.
      static_cast<void>(socket.get(zmq::sockopt::events));
      if (!TrySend(socket, first, first_flags)) return Sent::kFull;
    }
    // A message that was begun is always taken whole: queues are counted in messages.
    if (!routing_id.empty() && !TrySend(socket, body, body_flags)) return Sent::kNoPeer;
    if (!blob.empty()) {
      zmq::message_t frame = FrameOf(blob);
      if (!TrySend(socket, frame, zmq::send_flags::none)) return Sent::kNoPeer;
    }
    return Sent::kYes;
  } catch (const zmq::error_t& error) {
    return error.num() == EAGAIN ? Sent::kFull : Sent::kNoPeer;
  }
}

Result<Envelope> Assemble(zmq::message_t&& header, zmq::message_t&& blob) {
  if (blob.size() > kMaxChunk) return Fail(ErrorId::kProtocol, "message: the blob is too large");
  OTE_TRY(Envelope out, DecodeHeader({header.data<const std::uint8_t>(), header.size()}));
  if (blob.size() > 0) {
    auto owner = std::make_shared<zmq::message_t>(std::move(blob));
    const ByteView view(owner->data<const std::uint8_t>(), owner->size());
    out.blob = Blob(view, std::move(owner));
  }
  return out;
}

ZmqSocket WatchSocket(zmq::context_t& context, zmq::socket_t& socket, int mask) {
  static std::atomic<std::uint64_t> next{1};
  const std::string name = "inproc://ote.monitor." + std::to_string(next.fetch_add(1));
  if (zmq_socket_monitor(socket.handle(), name.c_str(), mask) != 0) throw zmq::error_t();
  ZmqSocket monitor(new zmq::socket_t(context, zmq::socket_type::pair));
  monitor->set(zmq::sockopt::linger, 0);
  // No limit: ZeroMQ's own thread would stand still, with all connections, until the events are read.
  monitor->set(zmq::sockopt::rcvhwm, 0);
  monitor->connect(name);
  return monitor;
}

void CloseWatched(ZmqSocket& socket, ZmqSocket& monitor, int linger_ms) noexcept {
  if (socket) {
    zmq_socket_monitor(socket->handle(), nullptr, 0);
    zmq_setsockopt(socket->handle(), ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  }
  monitor.reset();
  socket.reset();
}

std::optional<MonitorEvent> NextMonitorEvent(zmq::socket_t& monitor) {
  zmq::message_t frame;
  if (!ReceiveFrame(monitor, frame)) return std::nullopt;
  std::uint16_t event = 0;
  std::int32_t value = 0;
  if (frame.size() == sizeof event + sizeof value) {
    std::memcpy(&event, frame.data(), sizeof event);
    std::memcpy(&value, frame.data<const char>() + sizeof event, sizeof value);
  }
  SkipRest(monitor, frame);  // the address
  return MonitorEvent{event, value};
}

}  // namespace ote::wire
