// Endpoints as users write them, and what ZeroMQ has to be given for them.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"

namespace ote::wire {

// An open folder, kept so that /proc/self/fd/N names it. Closed when it goes.
class FolderHandle {
 public:
  FolderHandle() = default;
  explicit FolderHandle(int fd) : fd_(fd) {}
  FolderHandle(FolderHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderHandle& operator=(FolderHandle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FolderHandle();

 private:
  int fd_ = -1;
};

enum class Scheme { kTcp, kIpc };

struct Endpoint {
  Scheme scheme = Scheme::kTcp;
  std::string text;  // as it was written
  std::string host;  // tcp, with its brackets if it has any
  std::string port;  // tcp
  std::string path;  // ipc
};

// tcp://HOST:PORT or ipc://PATH; kEndpointInvalid for anything else. HOST may be *, a name, an IPv4 or a [bracketed]
// IPv6 address; PORT is 0 to 65535.
Result<Endpoint> ParseEndpoint(const std::string& text);

// What to give to zmq_bind or zmq_connect. A socket path too long for sockaddr_un (108 bytes) is reached through its
// folder, which `folder` then keeps open: it must live as long as the ZeroMQ socket.
Result<std::string> ZmqAddress(const Endpoint& endpoint, FolderHandle* folder);

// Makes way for a control socket: a socket file that nobody listens on is removed. kPortInUse when somebody listens,
// kEndpointInvalid when the path is something other than a socket or its folder does not exist.
Result<void> ClearStaleSocket(const Endpoint& endpoint, const std::string& address);

}  // namespace ote::wire
