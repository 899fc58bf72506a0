// The transport of real processes: ZeroMQ 4.3 with CURVE (RFC 26) and ZAP (RFC 27).
#pragma once

#include <memory>

#include "core/wire/transport.h"

namespace ote::wire {

// The bulk line: a second connection beside each CURVE link over tcp, for large blobs (bulk_side.h). It is made when
// the first one was carried, and when it cannot be had all goes over CURVE.
struct BulkOptions {
  bool use = true;
  int port = 0;                            // where we listen for them, on the address of each tcp endpoint; 0 picks one
  std::size_t least = 64 << 10;            // smaller blobs go over CURVE
  std::uint64_t pieces = 1 << 30;          // that one session key protects
  std::chrono::milliseconds hello{5'000};  // from the beginning of the connection to the proof of the other side
  std::chrono::milliseconds idle{120'000};  // then it is closed until it is needed again
  std::chrono::milliseconds retry_min{30'000};
  std::chrono::milliseconds retry_max{600'000};
};

struct ZmqOptions {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds reconnect_min{100};
  std::chrono::milliseconds reconnect_max{5'000};
  int queue = 64;  // messages a connection may have waiting
  BulkOptions bulk;
};

// `server_key` proves us to those who connect; nullptr for a client that never binds. Both must outlive the transport.
// Safe to destroy at any time; what is queued is given a second to leave.
Result<std::unique_ptr<Transport>> MakeZmqTransport(const crypto::TransportKey* server_key, Admission* admission,
                                                    const ZmqOptions& options = {});

}  // namespace ote::wire
