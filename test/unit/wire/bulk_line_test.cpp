#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/descriptor.h"
#include "core/wire/bulk_side.h"
#include "core/wire/bulk_socket.h"
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

// What asks for a bulk line over CURVE and talks to the port by itself.
struct ByHand : Pair {
  ByHand() : Pair("tcp://127.0.0.1:0", NoBulk()) {
    server.reset();
    server = MakeQuick(&server_key, &book, BulkQuick());
    endpoint = *server->Bind("tcp://127.0.0.1:0");
    link = Link();
  }
  static ZmqOptions NoBulk() {
    ZmqOptions options = QuickOptions();
    options.bulk.use = false;
    return options;
  }
  std::vector<Transport*> Both() { return {server.get(), client.get()}; }
  LinkId link;
};

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

}  // namespace ote::wire
