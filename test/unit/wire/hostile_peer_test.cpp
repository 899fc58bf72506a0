// Peers that do not keep to the protocol: raw ZeroMQ sockets and raw TCP against our transport.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <zmq.hpp>

#include "test/unit/wire/zmq_fixture.h"

namespace ote::wire {
namespace {

using namespace testing;

// A DEALER with CURVE, as anyone can make one.
class RawPeer {
 public:
  RawPeer(const Pair& pair, const crypto::TransportKey* key, std::string_view routing_id = {}) {
    socket_.set(zmq::sockopt::linger, 0);
    if (!routing_id.empty()) socket_.set(zmq::sockopt::routing_id, routing_id);
    if (key != nullptr) {
      const auto set = [this](auto option, ByteView bytes) {
        socket_.set(option, zmq::const_buffer(bytes.data(), bytes.size()));
      };
      set(zmq::sockopt::curve_serverkey, pair.server_key.Public().bytes);
      set(zmq::sockopt::curve_publickey, key->Public().bytes);
      set(zmq::sockopt::curve_secretkey, key->Secret());
    }
    socket_.connect(pair.endpoint);
  }
  void Send(const std::vector<Bytes>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      REQUIRE(socket_.send(zmq::const_buffer(frames[i].data(), frames[i].size()),
                           i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none));
    }
  }
  void Ask(std::uint64_t id) { Send({EncodeHeader(MakeRequest(id, "member.hello", Json::object()))}); }
  // The next answer that is there, if any.
  std::optional<Envelope> Answer() {
    zmq::message_t frame;
    if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
    return DecodeHeader({frame.data<const std::uint8_t>(), frame.size()}).value();
  }

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
};

// A TCP server of one trick, in its own thread.
class RawServer {
 public:
  explicit RawServer(std::string greeting) : greeting_(std::move(greeting)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    endpoint = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::jthread([this] {
      for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) {
        static_cast<void>(!::send(fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL));
        ++accepted;
      }
    });
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string endpoint;
  std::atomic<int> accepted{0};

 private:
  std::string greeting_;
  int listener_ = -1;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("malformed messages are dropped and counted and the connection goes on") {
  Pair pair;
  RawPeer raw(pair, &pair.member_key);
  const Bytes good = EncodeHeader(MakeRequest(1, "member.hello", Json::object()));
  raw.Send({{}});
  raw.Send({{0xFF, 0x00}});
  raw.Send({good, {1}, {2}});
  raw.Send({good, {1}, {2}, {3}});
  raw.Send({good, Bytes(kMaxChunk + 1)});
  raw.Send({Bytes(kMaxHeader + 1)});
  raw.Ask(2);
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
  CHECK(pair.server->Dropped() == 6);
  CHECK(pair.stage.Take(pair.server.get(), EventKind::kPeerMessage).at(0).envelope.id == 2);
}

TEST_CASE("a frame beyond the limit ends its connection before it is held in memory") {
  Pair pair;
  const LinkId link = pair.Link();
  RawPeer raw(pair, &pair.member_key);
  raw.Send({Bytes(kMaxChunk + kMaxHeader + 1)});
  raw.Ask(2);  // goes out on the next connection, or not at all
  REQUIRE(pair.client->Send(link, MakeRequest(3, "member.hello", Json::object())));
  pair.stage.Until({pair.server.get(), pair.client.get()}, [&] { return pair.book.asked >= 3; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkDown) == 0);
}

TEST_CASE("a peer that chooses its routing id is not heard") {
  Pair pair;
  RawPeer raw(pair, &pair.member_key, "clinic-b");
  raw.Ask(1);
  pair.stage.Until({pair.server.get()}, [&] { return pair.server->Dropped() == 1; });
  CHECK(pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 0);
}

TEST_CASE("a peer that takes the routing id of another neither disturbs it nor gets its answers") {
  Pair pair;
  const auto thief_key = crypto::TransportKey::Generate();
  pair.book.callers[thief_key.Public()] = Caller{CallerKind::kMember, "thief", BigId{8}, false};
  const std::string_view id("\0\1\2\3\4", 5);  // as ZeroMQ makes them
  RawPeer victim(pair, &pair.member_key, id);
  victim.Ask(1);
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 1; });
  RawPeer thief(pair, &thief_key, id);
  thief.Ask(2);
  pair.stage.Until({pair.server.get()}, [&] { return pair.book.asked == 2; });
  victim.Ask(3);
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 2; });
  const auto heard = pair.stage.Take(pair.server.get(), EventKind::kPeerMessage);
  CHECK(heard[0].caller.name == "clinic-a");
  CHECK(heard[1].caller.name == "clinic-a");
  CHECK(heard[0].peer == heard[1].peer);
  REQUIRE(pair.server->Send(heard[0].peer, MakeReply(heard[1].envelope, Json::object())));
  std::optional<Envelope> answer;
  pair.stage.Until({pair.server.get()}, [&] { return (answer = victim.Answer()).has_value(); });
  CHECK(answer->id == 3);
  CHECK_FALSE(thief.Answer());
  CHECK(pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) == 0);
}

TEST_CASE("a plaintext client gets nothing and is not heard") {
  Pair pair;
  const LinkId link = pair.Link();
  RawPeer plain(pair, nullptr);
  plain.Ask(1);
  // The member's own traffic shows that the server went on meanwhile.
  for (std::uint64_t i = 0; i < 20; ++i) {
    REQUIRE(pair.client->Send(link, MakeRequest(i, "member.hello", Json::object())));
    pair.stage.Until({pair.server.get()},
                     [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > i; });
  }
  for (const Event& event : pair.stage.Take(pair.server.get(), EventKind::kPeerMessage))
    CHECK(event.caller.name == "clinic-a");
  CHECK(pair.book.asked == 1);
  CHECK_FALSE(plain.Answer());
}

TEST_CASE("a key that is not admitted gets nothing through") {
  Pair pair;
  const auto stranger = crypto::TransportKey::Generate();
  RawPeer raw(pair, &stranger);
  raw.Ask(1);
  pair.stage.Until({pair.server.get()}, [&] { return pair.book.asked == 1; });
  const LinkId link = pair.Link();
  REQUIRE(pair.client->Send(link, MakeRequest(2, "member.hello", Json::object())));
  pair.stage.Until({pair.server.get()},
                   [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
  CHECK(pair.stage.Take(pair.server.get(), EventKind::kPeerMessage).at(0).caller.name == "clinic-a");
}

TEST_CASE("a forwarder that hangs up because nobody is behind it is not a wrong key") {
  Pair pair;
  RawServer forwarder("");
  REQUIRE(pair.client->Connect({forwarder.endpoint, pair.server_key.Public()}, pair.member_key));
  pair.stage.Until({pair.client.get()}, [&] { return forwarder.accepted > 8; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) == 0);
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkUp) == 0);
}

TEST_CASE("another program that answers is a wrong key") {
  Pair pair;
  RawServer ssh("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
  REQUIRE(pair.client->Connect({ssh.endpoint, pair.server_key.Public()}, pair.member_key));
  pair.stage.Until({pair.client.get()},
                   [&] { return pair.stage.Count(pair.client.get(), EventKind::kLinkWrongKey) > 0; });
  CHECK(pair.stage.Count(pair.client.get(), EventKind::kLinkUp) == 0);
}

TEST_CASE("peers that come and go leave nothing behind and get numbers of their own") {
  Pair pair;
  std::vector<PeerId> peers;
  for (int i = 0; i < 20; ++i) {
    const LinkId link = pair.Link();
    REQUIRE(pair.client->Send(link, MakeRequest(1, "member.hello", Json::object())));
    pair.stage.Until({pair.server.get()},
                     [&] { return pair.stage.Count(pair.server.get(), EventKind::kPeerMessage) > 0; });
    const PeerId peer = pair.stage.Take(pair.server.get(), EventKind::kPeerMessage).at(0).peer;
    for (PeerId before : peers) CHECK(before < peer);
    peers.push_back(peer);
    pair.client->Disconnect(link);
  }
  const auto reachable = [&](PeerId peer) {
    return pair.server->Send(peer, MakeRequest(0, "x", Json::object())).has_value();
  };
  pair.stage.Until({pair.server.get()}, [&] { return std::none_of(peers.begin(), peers.end(), reachable); });
}

}  // namespace ote::wire
