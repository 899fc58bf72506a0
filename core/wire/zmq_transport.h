// The transport of real processes: ZeroMQ 4.3 with CURVE (RFC 26) and ZAP (RFC 27).
#pragma once

#include <memory>

#include "core/wire/transport.h"

namespace ote::wire {

struct ZmqOptions {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds reconnect_min{100};
  std::chrono::milliseconds reconnect_max{5'000};
  int queue = 64;  // messages a connection may have waiting
};

// `server_key` proves us to those who connect; nullptr for a client that never binds. Both must outlive the transport.
// Safe to destroy at any time; what is queued is given a second to leave.
Result<std::unique_ptr<Transport>> MakeZmqTransport(const crypto::TransportKey* server_key, Admission* admission,
                                                    const ZmqOptions& options = {});

}  // namespace ote::wire
