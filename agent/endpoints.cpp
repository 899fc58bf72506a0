#include "agent/endpoints.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>

namespace ote::agent {
namespace {

constexpr std::size_t kMostEndpoints = 8;

// This machine's addresses in the form that endpoints take: IPv4 first, no loopback, no link-local.
std::vector<std::string> OwnAddresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  std::vector<std::string> v4;
  std::vector<std::string> v6;
  for (const ifaddrs* it = first; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || (it->ifa_flags & IFF_UP) == 0 || (it->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET6_ADDRSTRLEN] = {};
    if (it->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(it->ifa_addr);
      if (::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != nullptr) v4.emplace_back(text);
    } else if (it->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(it->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      if (::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text) != nullptr)
        v6.push_back(fmt::format("[{}]", text));
    }
  }
  v4.insert(v4.end(), v6.begin(), v6.end());
  return v4;
}

}  // namespace

std::vector<std::string> AdvertisedEndpoints(const std::vector<std::string>& bound) {
  std::vector<std::string> endpoints;
  for (const auto& endpoint : bound) {
    if (!endpoint.starts_with("tcp://")) continue;
    const auto colon = endpoint.rfind(':');
    const auto host = endpoint.substr(6, colon - 6);
    const auto port = endpoint.substr(colon + 1);
    if (host != "0.0.0.0" && host != "*" && host != "[::]") {
      endpoints.push_back(endpoint);
      continue;
    }
    auto addresses = OwnAddresses();
    // A machine with no network is still a tree of its own.
    if (addresses.empty()) addresses.emplace_back("127.0.0.1");
    for (const auto& address : addresses) endpoints.push_back(fmt::format("tcp://{}:{}", address, port));
  }
  if (endpoints.size() > kMostEndpoints) endpoints.resize(kMostEndpoints);
  return endpoints;
}

std::vector<std::string> EndpointsToTell(const store::Membership& membership) {
  if (membership.listen.empty()) return {};
  return membership.advertise.empty() ? AdvertisedEndpoints(membership.listen) : membership.advertise;
}

}  // namespace ote::agent
