#include <netinet/in.h>
#include <sys/socket.h>

#include "test/unit/wire/zmq_fixture.h"

namespace ote::wire {
namespace {

using namespace testing;

Blob Large(std::uint8_t fill, std::size_t size = 200'000) { return Blob(Bytes(size, fill)); }

ZmqOptions BulkQuick() {
  ZmqOptions options = QuickOptions();
  options.bulk.hello = 1s;
  options.bulk.retry_min = 50ms;
  options.bulk.retry_max = 200ms;
  return options;
}

// A pair whose large messages are counted.
struct BulkPair : Pair {
  explicit BulkPair(const ZmqOptions& options = BulkQuick()) : Pair("tcp://127.0.0.1:0", options) { link = Link(); }

  std::vector<Transport*> Both() { return {server.get(), client.get()}; }
  // A large request and a large answer; checks both.
  PeerId Exchange(std::uint8_t fill) {
    REQUIRE(client->Send(link, MakeRequest(fill, "artifact.get", {{"n", fill}}, Large(fill))));
    stage.Until(Both(), [&] { return stage.Count(server.get(), EventKind::kPeerMessage) > 0; });
    const auto asked = stage.Take(server.get(), EventKind::kPeerMessage);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].caller.name == "clinic-a");
    CHECK(asked[0].envelope.id == fill);
    CHECK(asked[0].envelope.body == Json({{"n", fill}}));
    CHECK(Same(asked[0].envelope.blob, Large(fill)));
    REQUIRE(server->Send(asked[0].peer,
                         MakeReply(asked[0].envelope, {{"ok", true}}, Large(static_cast<std::uint8_t>(fill + 100)))));
    stage.Until(Both(), [&] { return stage.Count(client.get(), EventKind::kLinkMessage) > 0; });
    const auto answered = stage.Take(client.get(), EventKind::kLinkMessage);
    REQUIRE(answered.size() == 1);
    CHECK(answered[0].envelope.id == fill);
    CHECK(Same(answered[0].envelope.blob, Large(static_cast<std::uint8_t>(fill + 100))));
    return asked[0].peer;
  }
  // Until the line is used for what is large.
  void Warm() {
    const auto before = client->BulkMessages();
    for (std::uint8_t i = 1; client->BulkMessages() < before + 2; ++i) {
      REQUIRE(i < 100);
      Exchange(i);
    }
  }
  static bool Same(const Blob& a, const Blob& b) {
    return std::equal(a.View().begin(), a.View().end(), b.View().begin(), b.View().end());
  }
  LinkId link;
};

// The connected sockets of this process that are no part of the CURVE link.
std::vector<int> BulkSockets(const Pair& pair) {
  const int curve = std::stoi(pair.endpoint.substr(pair.endpoint.rfind(':') + 1));
  const auto port = [](int fd, auto get) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    const bool ip = get(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
                    (address.sin6_family == AF_INET || address.sin6_family == AF_INET6);
    return ip ? static_cast<int>(ntohs(address.sin6_port)) : 0;
  };
  std::vector<int> out;
  for (int fd = 3; fd < 1024; ++fd) {
    const int here = port(fd, ::getsockname);
    const int there = port(fd, ::getpeername);
    if (here != 0 && there != 0 && here != curve && there != curve) out.push_back(fd);
  }
  return out;
}

void CutBulk(const Pair& pair) {
  const auto sockets = BulkSockets(pair);
  REQUIRE(sockets.size() >= 2);
  for (const int fd : sockets) ::shutdown(fd, SHUT_RDWR);
}

}  // namespace

TEST_CASE("large blobs take a line of their own when there is one") {
  BulkPair pair;
  CHECK(pair.client->BulkMessages() == 0);
  pair.Exchange(1);
  pair.Warm();
  const auto before = pair.client->BulkMessages();
  for (std::uint8_t i = 1; i < 20; ++i) pair.Exchange(i);
  CHECK(pair.client->BulkMessages() == before + 38);
  CHECK(pair.server->BulkMessages() == pair.client->BulkMessages());
  CHECK(pair.server->Dropped() == 0);
  CHECK(pair.client->Dropped() == 0);
}

TEST_CASE("without a bulk port all goes over the CURVE link") {
  ZmqOptions none = BulkQuick();
  none.bulk.use = false;
  BulkPair pair(none);
  for (std::uint8_t i = 1; i < 5; ++i) pair.Exchange(i);
  CHECK(pair.client->BulkMessages() == 0);
}

TEST_CASE("items of a stream stay on the CURVE link, in order") {
  BulkPair pair;
  pair.Warm();
  const PeerId peer = pair.Exchange(7);
  const auto before = pair.server->BulkMessages();
  const Envelope ask = MakeRequest(9, "fl.watch", Json::object());
  for (std::uint8_t i = 0; i < 5; ++i) {
    REQUIRE(pair.server->Send(peer, MakeReply(ask, {{"n", i}}, Large(i), false)));
  }
  REQUIRE(pair.server->Send(peer, MakeReply(ask, {{"n", 5}})));
  pair.stage.Until(pair.Both(), [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkMessage) == 6; });
  const auto items = pair.stage.Take(pair.client.get(), EventKind::kLinkMessage);
  for (std::size_t i = 0; i < items.size(); ++i) CHECK(items[i].envelope.body.at("n") == i);
  CHECK(pair.server->BulkMessages() == before);
}

TEST_CASE("when a bulk line is lost all that was on it arrives once over the CURVE link") {
  BulkPair pair;
  pair.Warm();
  const PeerId peer = pair.Exchange(7);
  const Envelope ask = MakeRequest(9, "artifact.get", Json::object());
  for (std::uint8_t i = 0; i < 20; ++i) {
    REQUIRE(pair.client->Send(pair.link, MakeRequest(1000U + i, "artifact.get", Json::object(), Large(i))));
    Envelope answer = MakeReply(ask, Json::object(), Large(i));
    answer.id = 2000U + i;
    REQUIRE(pair.server->Send(peer, std::move(answer)));
  }
  CutBulk(pair);
  pair.stage.Until(pair.Both(), [&] {
    return pair.stage.Count(pair.client.get(), EventKind::kLinkMessage) >= 20 &&
           pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) >= 20;
  });
  std::map<std::uint64_t, int> seen;
  for (const Event& event : pair.stage.Take(pair.server.get(), EventKind::kPeerMessage)) {
    ++seen[event.envelope.id];
    CHECK(BulkPair::Same(event.envelope.blob, Large(static_cast<std::uint8_t>(event.envelope.id - 1000))));
  }
  for (const Event& event : pair.stage.Take(pair.client.get(), EventKind::kLinkMessage)) {
    ++seen[event.envelope.id];
    CHECK(BulkPair::Same(event.envelope.blob, Large(static_cast<std::uint8_t>(event.envelope.id - 2000))));
  }
  CHECK(seen.size() == 40);
  for (const auto& [id, times] : seen) CHECK(times == 1);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkDown) == 0);
  pair.Warm();  // and it comes back
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkDown) == 0);
}

TEST_CASE("a bulk line whose keys have protected enough gets new ones, and nothing is lost between") {
  ZmqOptions options = BulkQuick();
  options.bulk.pieces = 16;
  BulkPair pair(options);
  for (std::uint8_t i = 1; i < 100; ++i) pair.Exchange(i);
  // While the next keys are agreed on, messages take the CURVE link: how many do depends on the machine.
  for (int more = 0; more < 1000 && pair.client->BulkMessages() <= 60; ++more) {
    pair.Exchange(static_cast<std::uint8_t>(1 + more % 99));
  }
  CHECK(pair.client->BulkMessages() > 60);
}

TEST_CASE("an idle bulk line is closed and opened again when it is needed") {
  ZmqOptions options = BulkQuick();
  options.bulk.idle = 100ms;
  BulkPair pair(options);
  pair.Warm();
  REQUIRE(BulkSockets(pair).size() >= 2);
  pair.stage.Until(pair.Both(), [&] { return BulkSockets(pair).empty(); });
  pair.Warm();
}

}  // namespace ote::wire
