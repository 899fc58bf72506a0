// TCP sockets for bulk lines. None of them blocks.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "core/base/descriptor.h"
#include "core/base/result.h"

namespace ote::wire {

// Where the other end of a connection is, as the system spells it.
struct PeerAddress {
  alignas(8) std::array<std::uint8_t, 128> bytes{};
  std::uint32_t size = 0;
};
// nullopt when `socket` is not connected by IP.
std::optional<PeerAddress> PeerAddressOf(int socket);

// Listens on a numeric address (an IPv6 one may stand in brackets); returns the socket and its port, which was picked
// for port 0. kPortInUse, kPermission, kEndpointInvalid.
Result<std::pair<Descriptor, int>> ListenTcp(const std::string& host, int port);
// Begins to connect to `port` at the same machine; whether it came about shows when it is used.
Result<Descriptor> ConnectTcp(const PeerAddress& address, int port);
// The next that connected. Nothing when there is none; kFailed when the system has no more descriptors.
Result<std::optional<Descriptor>> AcceptTcp(int listening);

}  // namespace ote::wire
