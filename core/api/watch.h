// How an agent is watched: what it serves to Prometheus, how it writes its log, and where it sends a copy of it.
#pragma once

#include <string>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// Where a copy of the log goes: Elasticsearch's bulk API, or what speaks it. Secrets stay in files; only their paths
// are here.
struct ShipSettings {
  std::string url;        // https://, or http:// to this machine; "" for none
  std::string ca_file;    // PEM; "" for the system's
  std::string key_file;   // holds an API key
  std::string user_file;  // holds user:password
  std::string index = "ote-logs-YYYY.MM.DD";
  std::int64_t spool = 64LL << 20;  // bytes on disk at the most

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("url", self.url);
    v("caFile", self.ca_file);
    v("keyFile", self.key_file);
    v("userFile", self.user_file);
    v("index", self.index);
    v("spool", self.spool);
  }
  friend bool operator==(const ShipSettings&, const ShipSettings&) = default;
};

struct WatchSettings {
  std::string metrics;     // HOST:PORT; "" for none
  std::string log_format;  // text or json; "" for the default
  ShipSettings ship;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("metrics", self.metrics);
    v("logFormat", self.log_format);
    v("ship", self.ship);
  }
  friend bool operator==(const WatchSettings&, const WatchSettings&) = default;
};

// HOST is an address of this machine or localhost; port 0 is one that the system picks. kMetricsAddress.
struct HostPort {
  std::string host;  // an address, without brackets
  int port = 0;
  bool loopback = false;
};
Result<HostPort> ParseHostPort(std::string_view text);

// kShipperFailed, naming the setting: another scheme than https to another machine, a name or a password in the URL, an
// index that Elasticsearch does not take.
Result<void> CheckShip(const ShipSettings& ship);
// The index of a record of that time: YYYY, MM and DD stand for its day in UTC.
std::string IndexAt(std::string_view pattern, UnixMillis at);

}  // namespace ote::api
