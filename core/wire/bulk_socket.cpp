#include "core/wire/bulk_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace ote::wire {
namespace {

constexpr int kBacklog = 64;
constexpr int kGiveUpMs = 20'000;  // sent and not acknowledged

static_assert(sizeof(sockaddr_storage) <= sizeof(PeerAddress::bytes));

tl::unexpected<Error> SystemFail(ErrorId id, const std::string& what) {
  return Fail(id, what + ": " + std::strerror(errno));  // NOLINT(concurrency-mt-unsafe): glibc's is
}

void Set(int socket, int level, int option, int value) {
  // What cannot be set here makes a line slower, or its loss noticed later.
  static_cast<void>(::setsockopt(socket, level, option, &value, sizeof value));
}

void SetUp(int socket) {
  Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  Set(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  Set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kGiveUpMs);
}

std::optional<PeerAddress> Parse(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  PeerAddress out;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    std::memcpy(out.bytes.data(), &v4, out.size = sizeof v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    std::memcpy(out.bytes.data(), &v6, out.size = sizeof v6);
  } else {
    return std::nullopt;
  }
  return out;
}

int FamilyOf(const PeerAddress& address) {
  sockaddr_storage copy{};
  std::memcpy(&copy, address.bytes.data(), address.size);
  return copy.ss_family;
}

// IPv4 and IPv6 have the port in the same place.
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
void PutPort(PeerAddress& address, int port) {
  const std::uint16_t number = htons(static_cast<std::uint16_t>(port));
  std::memcpy(address.bytes.data() + offsetof(sockaddr_in, sin_port), &number, sizeof number);
}
int PortOf(const PeerAddress& address) {
  std::uint16_t number = 0;
  std::memcpy(&number, address.bytes.data() + offsetof(sockaddr_in, sin_port), sizeof number);
  return ntohs(number);
}

const sockaddr* Raw(const PeerAddress& address) { return reinterpret_cast<const sockaddr*>(address.bytes.data()); }

Descriptor MakeSocket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

std::optional<PeerAddress> PeerAddressOf(int socket) {
  PeerAddress out;
  socklen_t size = sizeof out.bytes;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(out.bytes.data()), &size) != 0) return std::nullopt;
  out.size = size;
  const int family = FamilyOf(out);
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  return out;
}

Result<std::pair<Descriptor, int>> ListenTcp(const std::string& host, int port) {
  const std::string what = "listen for bulk lines on " + host + ":" + std::to_string(port);
  auto address = Parse(host);
  if (!address) return Fail(ErrorId::kEndpointInvalid, what + ": not a numeric address");
  PutPort(*address, port);
  const int family = FamilyOf(*address);
  Descriptor socket = MakeSocket(family);
  if (!socket) return SystemFail(ErrorId::kFailed, what);
  Set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) Set(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(socket.get(), Raw(*address), address->size) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    return SystemFail(errno == EADDRINUSE ? ErrorId::kPortInUse
                      : errno == EACCES   ? ErrorId::kPermission
                                          : ErrorId::kEndpointInvalid,
                      what);
  }
  socklen_t size = sizeof address->bytes;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(address->bytes.data()), &size) != 0) {
    return SystemFail(ErrorId::kFailed, what);
  }
  return std::pair{std::move(socket), PortOf(*address)};
}

Result<Descriptor> ConnectTcp(const PeerAddress& address, int port) {
  PeerAddress there = address;
  PutPort(there, port);
  Descriptor socket = MakeSocket(FamilyOf(there));
  if (!socket) return SystemFail(ErrorId::kFailed, "bulk line");
  SetUp(socket.get());
  if (::connect(socket.get(), Raw(there), there.size) != 0 && errno != EINPROGRESS) {
    return SystemFail(ErrorId::kUnreachable, "bulk line");
  }
  return socket;
}

Result<std::optional<Descriptor>> AcceptTcp(int listening) {
  while (true) {
    Descriptor socket(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      SetUp(socket.get());
      return std::optional(std::move(socket));
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<Descriptor>();
    const bool its_own = errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM;
    if (!its_own) return SystemFail(ErrorId::kFailed, "accept a bulk line");
  }
}

}  // namespace ote::wire
