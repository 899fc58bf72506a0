// A network in memory, for tests and the simulator: many transports in one process, no sockets, no threads, no clock.
#pragma once

#include <memory>
#include <string>

#include "core/wire/transport.h"

namespace ote::wire {

// Where the transports of one test find each other. Outlives them. One thread.
class MemoryNetwork {
 public:
  MemoryNetwork();
  ~MemoryNetwork();
  // Wait() on it never blocks: it returns what is there. `server_key` and `admission` as for MakeZmqTransport. Every
  // message goes through the real codec.
  std::unique_ptr<Transport> MakeTransport(const crypto::TransportKey* server_key, Admission* admission);
  // Cuts or mends everything between the listener at `endpoint` and those that connect to it.
  void Cut(const std::string& endpoint);
  void Mend(const std::string& endpoint);

  struct State;

 private:
  std::shared_ptr<State> state_;  // shared with the transports, so that they may be destroyed in any order
};

}  // namespace ote::wire
