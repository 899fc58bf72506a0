// Real transports on this machine's loopback, with bounded waits.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/wire/client.h"
#include "core/wire/zmq_transport.h"

namespace ote::wire::testing {

using namespace std::chrono_literals;

// Admits the keys that it holds.
class KeyBook final : public Admission {
 public:
  std::optional<Caller> Admit(const crypto::TransportPublic& key) override {
    ++asked;
    const auto it = callers.find(key);
    return it == callers.end() ? std::nullopt : std::optional<Caller>(it->second);
  }
  std::map<crypto::TransportPublic, Caller> callers;
  int asked = 0;
};

// Quick to come back, so that tests are too.
inline ZmqOptions QuickOptions() {
  ZmqOptions options;
  options.handshake = 4s;
  options.reconnect_min = 20ms;
  options.reconnect_max = 100ms;
  return options;
}

inline std::unique_ptr<Transport> MakeQuick(const crypto::TransportKey* key, Admission* admission,
                                            const ZmqOptions& options = QuickOptions()) {
  auto made = MakeZmqTransport(key, admission, options);
  REQUIRE(made);
  return std::move(*made);
}

// A folder that goes with the test.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  std::filesystem::path path;
};

// Some transports driven by one thread, and what came out of them.
class Stage {
 public:
  // Waits on all in turn until `done`, or fails the test after 20 s.
  void Until(const std::vector<Transport*>& all, const std::function<bool()>& done);
  // All of one kind that came out of `transport`, in order; empties the list.
  std::vector<Event> Take(Transport* transport, EventKind kind);
  std::size_t Count(Transport* transport, EventKind kind) const;
  void Forget() { seen_.clear(); }

 private:
  std::vector<std::pair<Transport*, Event>> seen_;
};

// A listener and a member that is admitted there.
struct Pair {
  explicit Pair(const std::string& endpoint = "tcp://127.0.0.1:0", const ZmqOptions& options = QuickOptions());
  // Begins the link and waits until it is up.
  LinkId Link();
  Target Where() const { return {endpoint, server_key.Public()}; }

  crypto::TransportKey server_key = crypto::TransportKey::Generate();
  crypto::TransportKey member_key = crypto::TransportKey::Generate();
  Caller member{CallerKind::kMember, "clinic-a", BigId{7}, false};
  KeyBook book;
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
  std::string endpoint;
  Stage stage;
};

}  // namespace ote::wire::testing
