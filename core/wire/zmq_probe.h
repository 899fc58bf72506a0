// Asks whoever listens at an address for its ZMTP greeting (RFC 23, section 3.2): is it a CURVE server at all?
//
// The greeting is public and proves nothing. It only tells a ZeroMQ server that cannot open our first message from a
// port forwarder or another program that hangs up.
#pragma once

#include "core/wire/zmq_socket.h"

namespace ote::wire {

enum class ProbeResult { kPending, kCurveServer, kSomethingElse, kNobody };

class ZmqProbe {
 public:
  // Connects at once. Throws zmq::error_t. Ends by itself `patience` later.
  ZmqProbe(zmq::context_t& context, const std::string& address, std::chrono::milliseconds patience);

  zmq::socket_t* Socket() noexcept { return socket_.get(); }
  std::chrono::milliseconds Deadline() const noexcept { return deadline_; }
  // To be called when the socket has input or the deadline is past.
  ProbeResult Serve();

 private:
  ZmqSocket socket_;
  std::chrono::milliseconds deadline_;
  bool asked_ = false;
  std::string greeting_;
};

}  // namespace ote::wire
