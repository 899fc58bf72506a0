#include "core/wire/memory_transport.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/wire/faulty_transport.h"

namespace ote::wire {
namespace {

using namespace std::chrono_literals;

class Book final : public Admission {
 public:
  std::optional<Caller> Admit(const crypto::TransportPublic& key) override {
    const auto it = callers.find(key);
    return it == callers.end() ? std::nullopt : std::optional<Caller>(it->second);
  }
  std::map<crypto::TransportPublic, Caller> callers;
};

struct World {
  World() {
    crypto::Init();
    book.callers[member_key.Public()] = member;
    server = network.MakeTransport(&server_key, &book);
    client = network.MakeTransport(nullptr, nullptr);
    endpoint = server->Bind("mem://root").value();
  }
  LinkId Link() { return client->Connect({endpoint, server_key.Public()}, member_key).value(); }

  MemoryNetwork network;
  crypto::TransportKey server_key = crypto::TransportKey::Generate();
  crypto::TransportKey member_key = crypto::TransportKey::Generate();
  Caller member{CallerKind::kMember, "clinic-a", BigId{7}, false};
  Book book;
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
  std::string endpoint;
};

std::vector<EventKind> Kinds(const std::vector<Event>& events) {
  std::vector<EventKind> out;
  for (const Event& event : events) out.push_back(event.kind);
  return out;
}
using List = std::vector<EventKind>;

std::vector<std::uint64_t> Ids(const std::vector<Event>& events) {
  std::vector<std::uint64_t> out;
  for (const Event& event : events) {
    if (event.kind == EventKind::kPeerMessage) out.push_back(event.envelope.id);
  }
  return out;
}

}  // namespace

TEST_CASE("in memory a request and its answer find their way with their blobs") {
  World world;
  const LinkId link = world.Link();
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkUp});
  const Blob blob(Bytes{1, 2, 3});
  REQUIRE(world.client->Send(link, MakeRequest(5, "artifact.get", {{"a", 1}}, blob)));
  auto asked = world.server->Wait(0ms);
  REQUIRE(Kinds(asked) == List{EventKind::kPeerMessage});
  CHECK(asked[0].caller.name == "clinic-a");
  CHECK(asked[0].envelope.body == Json({{"a", 1}}));
  CHECK(asked[0].envelope.blob.View().data() == blob.View().data());
  REQUIRE(world.server->Send(asked[0].peer, MakeReply(asked[0].envelope, {{"b", 2}})));
  const auto answered = world.client->Wait(0ms);
  REQUIRE(Kinds(answered) == List{EventKind::kLinkMessage});
  CHECK(answered[0].link == link);
  CHECK(answered[0].envelope.id == 5);
}

TEST_CASE("in memory a cut loses the link and mending it brings it back as another peer") {
  World world;
  const LinkId link = world.Link();
  world.client->Wait(0ms);
  REQUIRE(world.client->Send(link, MakeRequest(1, "x", Json::object())));
  const PeerId before = world.server->Wait(0ms).at(0).peer;
  world.network.Cut(world.endpoint);
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkDown});
  CHECK(world.client->Send(link, MakeRequest(2, "x", Json::object())).error().id == ErrorId::kUnreachable);
  CHECK(world.server->Send(before, MakeRequest(3, "x", Json::object())).error().id == ErrorId::kUnreachable);
  CHECK(world.client->Wait(0ms).empty());
  world.network.Mend(world.endpoint);
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkUp});
  REQUIRE(world.client->Send(link, MakeRequest(4, "x", Json::object())));
  CHECK(world.server->Wait(0ms).at(0).peer > before);
}

TEST_CASE("in memory a wrong key and one that is not admitted are told, once") {
  World world;
  const auto other = crypto::TransportKey::Generate();
  const LinkId wrong = world.client->Connect({world.endpoint, other.Public()}, world.member_key).value();
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkWrongKey});
  CHECK(world.client->Wait(0ms).empty());
  world.client->Disconnect(wrong);
  world.client->Connect({world.endpoint, world.server_key.Public()}, other).value();
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkRefused});
  CHECK(world.client->Wait(0ms).empty());
  world.book.callers[other.Public()] = world.member;
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkUp});
}

TEST_CASE("in memory an endpoint that is listened at once more takes the key as it is then, and cuts the others") {
  World world;
  world.Link();
  world.client->Wait(0ms);
  world.server_key = crypto::TransportKey::Generate();
  CHECK(world.server->BindAs(world.endpoint, world.server_key).value() == world.endpoint);
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkDown, EventKind::kLinkWrongKey});
}

TEST_CASE("in memory an evicted member is told and must be admitted anew") {
  World world;
  const LinkId link = world.Link();
  world.client->Wait(0ms);
  REQUIRE(world.client->Send(link, MakeRequest(1, "x", Json::object())));
  world.book.callers.clear();
  world.server->Evict(world.member);
  CHECK(world.server->Wait(0ms).empty());  // what it had sent is not handed out
  const auto told = world.client->Wait(0ms);
  REQUIRE(Kinds(told) == List{EventKind::kLinkMessage, EventKind::kLinkDown, EventKind::kLinkRefused});
  CHECK(told[0].envelope.verb == kEvictedVerb);
  CHECK(ErrorOf(told[0].envelope).id == ErrorId::kRevoked);
}

TEST_CASE("in memory a restart of either side is a lost link and ends in any order") {
  World world;
  const LinkId link = world.Link();
  world.client->Wait(0ms);
  world.server.reset();
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkDown});
  world.server = world.network.MakeTransport(&world.server_key, &world.book);
  CHECK(world.server->Bind(world.endpoint).value() == world.endpoint);
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkUp});
  REQUIRE(world.client->Send(link, MakeRequest(1, "x", Json::object())));
  const PeerId peer = world.server->Wait(0ms).at(0).peer;
  world.client.reset();
  CHECK(world.server->Send(peer, MakeRequest(1, "x", Json::object())).error().id == ErrorId::kUnreachable);
}

TEST_CASE("in memory endpoints are taken once and port 0 picks a free one") {
  World world;
  CHECK(world.server->Bind("mem://root").error().id == ErrorId::kPortInUse);
  CHECK(world.server->Bind("root").error().id == ErrorId::kEndpointInvalid);
  CHECK(world.client->Bind("mem://other").error().id == ErrorId::kPermission);
  const auto one = world.server->Bind("tcp://127.0.0.1:0").value();
  CHECK(one != "tcp://127.0.0.1:0");
  CHECK(one != world.server->Bind("tcp://127.0.0.1:0").value());
}

TEST_CASE("in memory at most 64 events are handed out at once, in order, and a wake comes first") {
  World world;
  const LinkId link = world.Link();
  world.client->Wait(0ms);
  for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(world.client->Send(link, MakeRequest(i, "x", Json::object())));
  world.server->Wake();
  const auto first = world.server->Wait(0ms);
  REQUIRE(first.size() == 64);
  CHECK(first[0].kind == EventKind::kWoken);
  CHECK(first[63].envelope.id == 62);
  CHECK(world.server->Wait(0ms).size() == 37);
}

TEST_CASE("a faulty transport loses, repeats and delays as the script says") {
  World world;
  std::map<std::uint64_t, Fault> script{
      {2, Fault::kDrop}, {3, Fault::kRepeat}, {4, Fault::kDelayOne}, {6, Fault::kDelayOne}};
  auto faulty =
      MakeFaultyTransport(std::move(world.server), [&script](const Event& event) { return script[event.envelope.id]; });
  const LinkId link = world.Link();
  CHECK(Kinds(world.client->Wait(0ms)) == List{EventKind::kLinkUp});
  for (std::uint64_t i = 1; i <= 6; ++i) REQUIRE(world.client->Send(link, MakeRequest(i, "x", Json::object())));
  CHECK(Ids(faulty->Wait(0ms)) == std::vector<std::uint64_t>{1, 3, 3, 5, 4});
  REQUIRE(world.client->Send(link, MakeRequest(7, "x", Json::object())));
  CHECK(Ids(faulty->Wait(0ms)) == std::vector<std::uint64_t>{7, 6});
}

TEST_CASE("messages that are all delayed still come, one late, and in order") {
  World world;
  auto faulty = MakeFaultyTransport(std::move(world.server), [](const Event&) { return Fault::kDelayOne; });
  const LinkId link = world.Link();
  world.client->Wait(0ms);
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(world.client->Send(link, MakeRequest(i, "x", Json::object())));
  CHECK(Ids(faulty->Wait(0ms)) == std::vector<std::uint64_t>{1, 2});
}

}  // namespace ote::wire
