#include <sys/stat.h>

#include "test/unit/wire/zmq_fixture.h"

namespace ote::wire {
namespace {

using namespace testing;

Bytes Pattern(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8));
  return out;
}

// One message each way; returns the peer.
PeerId Exchange(Pair& pair, LinkId link, std::uint64_t id) {
  REQUIRE(pair.client->Send(link, MakeRequest(id, "member.hello", {{"n", 1}})));
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
  const auto asked = pair.stage.Take(pair.server.get(), EventKind::kPeerMessage);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].caller.name == "clinic-a");
  CHECK(asked[0].caller.serial == BigId{7});
  CHECK(asked[0].envelope.id == id);
  CHECK(asked[0].envelope.verb == "member.hello");
  CHECK(asked[0].envelope.body == Json({{"n", 1}}));
  REQUIRE(pair.server->Send(asked[0].peer, MakeReply(asked[0].envelope, {{"ok", true}})));
  pair.stage.Until({pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkMessage) > 0; });
  const auto answered = pair.stage.Take(pair.client.get(), EventKind::kLinkMessage);
  REQUIRE(answered.size() == 1);
  CHECK(answered[0].link == link);
  CHECK(answered[0].envelope.kind == MessageKind::kReply);
  CHECK(answered[0].envelope.id == id);
  CHECK(answered[0].envelope.body == Json({{"ok", true}}));
  return asked[0].peer;
}

}  // namespace

TEST_CASE("a request goes to the one that listens and its answer comes back over tcp") {
  Pair pair;
  CHECK(pair.endpoint.starts_with("tcp://127.0.0.1:"));
  CHECK(pair.endpoint != "tcp://127.0.0.1:0");
  const LinkId link = pair.Link();
  const PeerId peer = Exchange(pair, link, 41);
  CHECK(Exchange(pair, link, 42) == peer);
  CHECK(pair.book.asked == 1);
}

TEST_CASE("a control socket is private to its owner and carries messages") {
  ScratchFolder folder;
  const std::string file = folder.path / "agent.sock";
  Pair pair("ipc://" + file);
  CHECK(pair.endpoint == "ipc://" + file);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  Exchange(pair, pair.Link(), 1);
}

TEST_CASE("a control socket may lie deeper than a socket address reaches") {
  ScratchFolder folder;
  const auto deep = folder.path / std::string(90, 'd') / std::string(90, 'e');
  std::filesystem::create_directories(deep);
  Pair pair("ipc://" + (deep / "agent.sock").string());
  Exchange(pair, pair.Link(), 1);
  CHECK(std::filesystem::exists(deep / "agent.sock"));
}

TEST_CASE("a control socket that a killed agent left behind is replaced and one in use is not") {
  ScratchFolder folder;
  const std::string endpoint = "ipc://" + (folder.path / "agent.sock").string();
  Pair pair(endpoint);
  KeyBook book;
  auto second = MakeQuick(&pair.server_key, &book);
  auto refused = second->Bind(endpoint);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kPortInUse);
  Exchange(pair, pair.Link(), 1);  // the first is as it was

  // What SIGKILL leaves: the file, and nobody behind it.
  std::filesystem::rename(folder.path / "agent.sock", folder.path / "kept");
  pair.server.reset();
  std::filesystem::rename(folder.path / "kept", folder.path / "agent.sock");
  CHECK(second->Bind(endpoint));

  std::filesystem::remove(folder.path / "agent.sock");
  std::filesystem::create_directory(folder.path / "agent.sock");
  auto third = MakeQuick(&pair.server_key, &book)->Bind(endpoint);
  REQUIRE_FALSE(third);
  CHECK(third.error().id == ErrorId::kEndpointInvalid);
}

TEST_CASE("a full chunk travels both ways unchanged and more than that is not sent") {
  Pair pair;
  const LinkId link = pair.Link();
  const Bytes data = Pattern(kMaxChunk);
  REQUIRE(pair.client->Send(link, MakeRequest(1, "artifact.get", Json::object(), Blob(data))));
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
  auto there = pair.stage.Take(pair.server.get(), EventKind::kPeerMessage);
  REQUIRE(there.size() == 1);
  const ByteView arrived = there[0].envelope.blob.View();
  CHECK(std::equal(arrived.begin(), arrived.end(), data.begin(), data.end()));
  REQUIRE(pair.server->Send(there[0].peer, MakeReply(there[0].envelope, Json::object(), there[0].envelope.blob)));
  there.clear();
  pair.stage.Until({pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkMessage) > 0; });
  const auto back = pair.stage.Take(pair.client.get(), EventKind::kLinkMessage);
  const ByteView returned = back.at(0).envelope.blob.View();
  CHECK(std::equal(returned.begin(), returned.end(), data.begin(), data.end()));

  const auto too_much =
      pair.client->Send(link, MakeRequest(2, "artifact.get", Json::object(), Blob(Bytes(kMaxChunk + 1))));
  REQUIRE_FALSE(too_much);
  CHECK(too_much.error().id == ErrorId::kProtocol);
  const auto too_long = pair.client->Send(link, MakeRequest(3, "fl.start", {{"text", std::string(kMaxHeader, 'x')}}));
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().id == ErrorId::kProtocol);
  Exchange(pair, link, 4);  // and the link is as it was
}

TEST_CASE("a blob is let go of after it was sent") {
  Pair pair;
  const LinkId link = pair.Link();
  auto owner = std::make_shared<const Bytes>(Pattern(1 << 20));
  const std::weak_ptr<const Bytes> watch = owner;
  const ByteView view(*owner);
  REQUIRE(pair.client->Send(link, MakeRequest(1, "artifact.get", Json::object(), Blob(view, std::move(owner)))));
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return watch.expired() && pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
  CHECK(watch.expired());
}

TEST_CASE("a link to the wrong key is told from a server that is not there") {
  Pair pair;
  const auto other = crypto::TransportKey::Generate();
  const auto link = pair.client->Connect({pair.endpoint, other.Public()}, pair.member_key);
  REQUIRE(link);
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) > 0; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkUp) == 0);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkRefused) == 0);
  CHECK(pair.book.asked == 0);
  const auto sent = pair.client->Send(*link, MakeRequest(1, "enrol.hello", Json::object()));
  REQUIRE_FALSE(sent);
  CHECK(sent.error().id == ErrorId::kUnreachable);
}

TEST_CASE("a key that is not admitted is refused and let in once it is") {
  Pair pair;
  pair.book.callers.clear();
  REQUIRE(pair.client->Connect(pair.Where(), pair.member_key));
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkRefused) > 0; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkUp) == 0);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) == 0);
  pair.book.callers[pair.member_key.Public()] = pair.member;
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkUp) > 0; });
}

TEST_CASE("a link comes back after a restart of the server and brings nothing stale") {
  Pair pair;
  const LinkId link = pair.Link();
  Exchange(pair, link, 1);
  pair.server.reset();
  pair.stage.Until({pair.client.get()}, [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkDown) > 0; });
  const auto lost = pair.client->Send(link, MakeRequest(2, "member.hello", Json::object()));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().id == ErrorId::kUnreachable);
  pair.server = MakeQuick(&pair.server_key, &pair.book);
  REQUIRE(pair.server->Bind(pair.endpoint));
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkUp) > 0; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) == 0);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkRefused) == 0);
  CHECK(pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 0);
  Exchange(pair, link, 3);
}

TEST_CASE(
    "an endpoint that is listened at once more takes the key as it is then, and cuts those who came by the old one") {
  Pair pair;
  const LinkId old = pair.Link();
  Exchange(pair, old, 1);
  pair.stage.Forget();
  pair.server_key = crypto::TransportKey::Generate();
  const auto again = pair.server->BindAs(pair.endpoint, pair.server_key);
  REQUIRE(again);
  CHECK(*again == pair.endpoint);
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) > 0; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkUp) == 0);
  pair.client->Disconnect(old);
  const LinkId link = pair.Link();
  Exchange(pair, link, 2);
}

TEST_CASE("an evicted member is told, cut off, and heard again only when it is admitted anew") {
  Pair pair;
  const LinkId link = pair.Link();
  const PeerId before = Exchange(pair, link, 1);
  pair.book.callers.clear();
  pair.server->Evict(pair.member);
  const auto gone = pair.server->Send(before, MakeRequest(1, "fl.task", Json::object()));
  REQUIRE_FALSE(gone);
  CHECK(gone.error().id == ErrorId::kUnreachable);
  REQUIRE(pair.client->Send(link, MakeRequest(2, "member.hello", Json::object())));
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkRefused) > 0; });
  const auto told = pair.stage.Take(pair.client.get(), EventKind::kLinkMessage);
  REQUIRE(told.size() == 1);
  CHECK(told[0].envelope.verb == kEvictedVerb);
  CHECK(ErrorOf(told[0].envelope).id == ErrorId::kRevoked);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkDown) == 1);
  CHECK(pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 0);

  pair.book.callers[pair.member_key.Public()] = pair.member;
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkUp) > 0; });
  CHECK(Exchange(pair, link, 3) > before);
}

TEST_CASE("an evicted member that never spoke is cut off at its first word") {
  Pair pair;
  const LinkId link = pair.Link();
  pair.server->Evict(pair.member);
  REQUIRE(pair.client->Send(link, MakeRequest(1, "member.hello", Json::object())));
  pair.stage.Until({pair.server.get(), pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkDown) > 0; });
  CHECK(pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 0);
  CHECK(pair.stage.Take(pair.client.get(), EventKind::kLinkMessage).size() == 1);
  CHECK(pair.server->Dropped() == 1);
}

TEST_CASE("endpoints that cannot be are told apart from those that are taken") {
  Pair pair;
  const auto id_of = [&](const std::string& endpoint) {
    auto bound = pair.server->Bind(endpoint);
    return bound ? ErrorId::kInternal : bound.error().id;
  };
  CHECK(id_of(pair.endpoint) == ErrorId::kPortInUse);
  CHECK(id_of("tcp://192.0.2.1:0") == ErrorId::kEndpointInvalid);
  CHECK(id_of("tcp://no.such.interface:0") == ErrorId::kEndpointInvalid);
  CHECK(id_of("tcp://127.0.0.1") == ErrorId::kEndpointInvalid);
  CHECK(id_of("tcp://127.0.0.1:70000") == ErrorId::kEndpointInvalid);
  CHECK(id_of("http://127.0.0.1:80") == ErrorId::kEndpointInvalid);
  CHECK(id_of("ipc://@abstract") == ErrorId::kEndpointInvalid);
  CHECK(id_of("ipc:///no/such/folder/agent.sock") == ErrorId::kEndpointInvalid);
  CHECK(pair.server->Bind("tcp://localhost:0").value().starts_with("tcp://localhost:"));
  auto as_client = pair.client->Bind("tcp://127.0.0.1:0");
  REQUIRE_FALSE(as_client);
  CHECK(as_client.error().id == ErrorId::kPermission);
  auto nowhere = pair.client->Connect({"tcp://127.0.0.1:0", pair.server_key.Public()}, pair.member_key);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().id == ErrorId::kEndpointInvalid);
}

TEST_CASE("a full queue says so and loses nothing that was taken") {
  ZmqOptions options = QuickOptions();
  options.queue = 4;
  Pair pair("tcp://127.0.0.1:0", options);
  const LinkId link = pair.Link();
  std::uint64_t taken = 0;
  Result<void> sent{};
  const Blob blob(Pattern(kMaxChunk));
  while (taken < 10'000 && (sent = pair.client->Send(link, MakeRequest(taken, "artifact.get", Json::object(), blob))))
    ++taken;
  REQUIRE_FALSE(sent);
  CHECK(sent.error().id == ErrorId::kBusy);
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == taken; });
  const auto all = pair.stage.Take(pair.server.get(), EventKind::kPeerMessage);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i].envelope.id == i);
  pair.stage.Until({pair.client.get()},
                   [&] { return pair.client->Send(link, MakeRequest(taken, "x", Json::object())).has_value(); });
}

TEST_CASE("a wait ends when it is woken, and a wake before it counts") {
  crypto::Init();
  auto transport = MakeQuick(nullptr, nullptr);
  transport->Wake();
  transport->Wake();
  const auto events = transport->Wait(20s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == EventKind::kWoken);
  CHECK(transport->Wait(0ms).empty());
}

}  // namespace ote::wire
