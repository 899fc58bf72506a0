#include "core/api/watch.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ote::api {
namespace {

constexpr std::int64_t kLeastSpool = 1 << 20;
constexpr std::int64_t kMostSpool = 1LL << 40;

bool IsLoopback(const std::string& host) { return host == "::1" || host.starts_with("127."); }

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

Result<void> CheckUrl(const std::string& url) {
  const auto refuse = [&](std::string_view why, std::string_view hint) {
    return Fail(ErrorId::kShipperFailed, fmt::format("--ship-logs {}: {}", url, why), std::string(hint));
  };
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) return refuse("neither https:// nor http://", "https://HOST:9200");
  std::string authority = url.substr(tls ? 8 : 7);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string::npos) {
    return Fail(ErrorId::kShipperFailed, "--ship-logs: a name or a password does not belong into the URL",
                "--ship-user-file FILE");
  }
  if (authority.empty() || HasControl(url)) return refuse("not a URL", "https://HOST:9200");
  if (url.find_first_of("?#") != std::string::npos) return refuse("has a query or a fragment", "https://HOST:9200");
  if (tls) return {};
  std::string host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') == std::string::npos ? 0 : host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host == "localhost" || (IsAddress(host) && IsLoopback(host))) return {};
  return refuse("http:// is for this machine only: the log would travel in the clear", "https://" + authority);
}

Result<void> CheckIndex(const std::string& index) {
  // What Elasticsearch says of index names, for the ASCII part of it.
  std::string probe = IndexAt(index, 0);
  const bool good = !probe.empty() && probe.size() <= 200 && probe[0] != '-' && probe[0] != '_' && probe[0] != '.' &&
                    std::all_of(probe.begin(), probe.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                    });
  if (good) return {};
  return Fail(ErrorId::kShipperFailed, fmt::format("--ship-index {}: not the name of an index", index),
              "small letters, digits, '-', '_' and '.', with YYYY, MM and DD for the day");
}

}  // namespace

Result<HostPort> ParseHostPort(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kMetricsAddress, fmt::format("{}: {}", text, why), "--metrics 127.0.0.1:9440");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("not HOST:PORT");
  HostPort out;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  if (!IsAddress(out.host)) return refuse("the host is neither an address nor localhost");
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size() || out.port < 0 || out.port > 65'535)
    return refuse("the port is no number up to 65535");
  out.loopback = IsLoopback(out.host);
  return out;
}

Result<void> CheckShip(const ShipSettings& ship) {
  OTE_CHECK(CheckUrl(ship.url));
  OTE_CHECK(CheckIndex(ship.index));
  if (!ship.key_file.empty() && !ship.user_file.empty())
    return Fail(ErrorId::kShipperFailed, "--ship-key-file and --ship-user-file: one proves who sends", "give one");
  if (ship.spool < kLeastSpool || ship.spool > kMostSpool)
    return Fail(ErrorId::kShipperFailed, fmt::format("--ship-spool {}: not between 1MiB and 1TiB", ship.spool));
  return {};
}

std::string IndexAt(std::string_view pattern, UnixMillis at) {
  const std::string time = FormatTime(at);  // 2026-11-23T…
  std::string out;
  while (!pattern.empty()) {
    std::size_t taken = 1;
    if (pattern.starts_with("YYYY")) {
      out += time.substr(0, 4);
      taken = 4;
    } else if (pattern.starts_with("MM")) {
      out += time.substr(5, 2);
      taken = 2;
    } else if (pattern.starts_with("DD")) {
      out += time.substr(8, 2);
      taken = 2;
    } else {
      out.push_back(pattern[0]);
    }
    pattern.remove_prefix(taken);
  }
  return out;
}

}  // namespace ote::api
