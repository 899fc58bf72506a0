#include "core/wire/zmq_probe.h"

#include <zmq.hpp>

namespace ote::wire {
namespace {

// signature (10), version (2), mechanism (20), as-server (1), filler (31)
constexpr std::size_t kGreetingSize = 64;
constexpr std::size_t kMechanismAt = 12;
constexpr std::size_t kAsServerAt = 32;

std::string Greeting() {
  std::string out(kGreetingSize, '\0');
  out[0] = '\xFF';
  out[9] = '\x7F';
  out[10] = 3;
  out.replace(kMechanismAt, 5, "CURVE");
  return out;
}

bool IsCurveServer(const std::string& greeting) {
  return greeting[0] == '\xFF' && greeting[9] == '\x7F' && greeting[10] >= 3 &&
         greeting.compare(kMechanismAt, 6, std::string("CURVE\0", 6)) == 0 && greeting[kAsServerAt] == 1;
}

}  // namespace

ZmqProbe::ZmqProbe(zmq::context_t& context, const std::string& address, std::chrono::milliseconds patience)
    : socket_(new zmq::socket_t(context, zmq::socket_type::stream)), deadline_(SteadyNow() + patience) {
  socket_->set(zmq::sockopt::linger, 0);
  socket_->set(zmq::sockopt::ipv6, true);
  socket_->set(zmq::sockopt::reconnect_ivl, -1);
  socket_->connect(address);
}

ProbeResult ZmqProbe::Serve() {
  // Each message is a routing id and some bytes; no bytes stand for a connection that came (the first) or went.
  zmq::message_t id;
  zmq::message_t bytes;
  while (ReceiveFrame(*socket_, id)) {
    if (!id.more() || !ReceiveFrame(*socket_, bytes)) return ProbeResult::kNobody;
    if (bytes.size() == 0) {
      if (asked_) return greeting_.empty() ? ProbeResult::kNobody : ProbeResult::kSomethingElse;
      asked_ = true;
      const std::string greeting = Greeting();
      socket_->send(id, zmq::send_flags::sndmore | zmq::send_flags::dontwait);
      socket_->send(zmq::const_buffer(greeting.data(), greeting.size()), zmq::send_flags::dontwait);
      continue;
    }
    greeting_.append(bytes.data<const char>(), bytes.size());
    if (greeting_.front() != '\xFF') return ProbeResult::kSomethingElse;
    if (greeting_.size() >= kGreetingSize) {
      return IsCurveServer(greeting_) ? ProbeResult::kCurveServer : ProbeResult::kSomethingElse;
    }
  }
  return SteadyNow() >= deadline_ ? ProbeResult::kNobody : ProbeResult::kPending;
}

}  // namespace ote::wire
