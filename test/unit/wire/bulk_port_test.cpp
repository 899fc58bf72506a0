// Those who talk to a bulk port and to a dialling side by hand.
#include "core/wire/bulk_port.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "core/wire/bulk_dial.h"
#include "test/unit/wire/zmq_fixture.h"

namespace ote::wire {
namespace {

using namespace testing;

constexpr PeerId kPeer{1};
const Caller kMember{CallerKind::kMember, "clinic-a", BigId{7}, false};

ZmqOptions Quick() {
  ZmqOptions options;
  options.bulk.hello = 300ms;
  options.bulk.retry_min = 10ms;
  options.bulk.retry_max = 20ms;
  return options;
}

PeerAddress Loopback() {
  const auto bound = ListenTcp("127.0.0.1", 0).value();
  const auto& listening = bound.first;
  const auto connecting = ConnectTcp(
      *[&] {
        PeerAddress address;
        socklen_t size = sizeof address.bytes;
        REQUIRE(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(address.bytes.data()), &size) == 0);
        address.size = size;
        return std::optional(address);
      }(),
      bound.second);
  REQUIRE(connecting);
  std::optional<PeerAddress> found;
  const auto end = SteadyNow() + 5s;
  while (!found && SteadyNow() < end) found = PeerAddressOf(connecting->get());
  REQUIRE(found);
  return *found;
}

// A port whose CURVE link is a list of what would have been sent.
struct Port {
  explicit Port(const ZmqOptions& options = Quick())
      : port(
            [this](PeerId, Bytes header, const Blob&) {
              said.push_back(DecodeHeader(header).value());
              return Sent::kYes;
            },
            options) {
    port.Listen("127.0.0.1");
    REQUIRE(port.Port() != 0);
  }
  // Asks for a session, as `caller`; what was answered.
  Json Ask(const Caller& caller = kMember) {
    said.clear();
    port.Hear(kPeer, caller, MakeRequest(1, kBulkVerb, {{"key", crypto::ToText(offer.Public().bytes)}}));
    REQUIRE(said.size() == 1);
    return said[0].body;
  }
  // Serves until the other side of `connection` is closed or sends something; what it sent.
  Bytes Hear(const Descriptor& connection) {
    const auto end = SteadyNow() + 20s;
    Bytes buffer(4096);
    while (SteadyNow() < end) {
      for (auto& arrival : port.Serve(64)) arrived.push_back(std::move(arrival.envelope));
      const ssize_t size = ::recv(connection.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size < 0) continue;
      buffer.resize(static_cast<std::size_t>(size));
      return buffer;
    }
    FAIL("nothing came of it within 20 s");
    return {};
  }
  Descriptor Connect() { return ConnectTcp(Loopback(), port.Port()).value(); }
  static void Write(const Descriptor& connection, ByteView bytes) {
    const auto end = SteadyNow() + 20s;
    while (::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) REQUIRE(SteadyNow() < end);
  }
  crypto::Session Agree(const Json& answer) {
    const auto id = BulkSessionFrom(answer, "session").value();
    const auto key = crypto::KeyFromText(answer.at("key").get<std::string>()).value();
    return offer.Agree({key}, crypto::SessionSide::kCaller, BulkAgreement(id)).value();
  }
  static Bytes Hello(const Json& answer, crypto::SessionSealer& sealer) {
    BlobPool pool;
    Bytes out = MakeBulkIntro(BulkSessionFrom(answer, "session").value());
    const auto frame = MakeBulkFrame(sealer, BulkKind::kHello, {}, {}, pool).value();
    out.insert(out.end(), frame.lead.begin(), frame.lead.end());
    return out;
  }

  std::vector<Envelope> said;
  std::vector<Envelope> arrived;
  crypto::SessionOffer offer = crypto::SessionOffer::Make();
  BulkPort port;
};

}  // namespace

TEST_CASE("a bulk port answers whoever holds the session's key and takes messages from it") {
  Port here;
  const Json answer = here.Ask();
  auto session = here.Agree(answer);
  const Descriptor connection = here.Connect();
  Port::Write(connection, Port::Hello(answer, session.sealer));
  CHECK(here.Hear(connection).size() == kHelloFrame);
  BlobPool pool;
  const auto frame = MakeBulkFrame(session.sealer, BulkKind::kMessage,
                                   EncodeHeader(MakeRequest(5, "artifact.get", Json::object())), {}, pool);
  Port::Write(connection, frame->lead);
  CHECK_FALSE(here.Hear(connection).empty());  // that it has it
  REQUIRE(here.arrived.size() == 1);
  CHECK(here.arrived[0].id == 5);
  CHECK(here.port.Dropped() == 0);
}

TEST_CASE("a stranger at the bulk port is not answered, and is cut off") {
  Port here;
  const Json answer = here.Ask();
  const Descriptor silent = here.Connect();
  Bytes unknown = MakeBulkIntro(BulkSession{1, 2, 3});
  unknown.resize(kIntroSize + kHelloFrame);
  const Descriptor guessing = here.Connect();
  Port::Write(guessing, unknown);
  CHECK(here.Hear(guessing).empty());
  CHECK(here.port.Dropped() == 1);
  CHECK(here.Hear(silent).empty());  // when its time is over
  CHECK(here.port.Dropped() == 2);
}

TEST_CASE("strangers at the bulk port do not keep out the one that is awaited") {
  Port here;
  const Json answer = here.Ask();
  std::vector<Descriptor> strangers;
  for (std::size_t i = 0; i < BulkPort::kStrangers + 20; ++i) strangers.push_back(here.Connect());
  static_cast<void>(here.port.Serve(64));
  std::vector<PollWish> wishes;
  here.port.Wishes(wishes);
  CHECK(wishes.size() <= BulkPort::kStrangers + 1);
  auto session = here.Agree(answer);
  const Descriptor connection = here.Connect();
  Port::Write(connection, Port::Hello(answer, session.sealer));
  CHECK(here.Hear(connection).size() == kHelloFrame);
}

TEST_CASE("a forged beginning of a bulk line is refused and everything stays on the CURVE link") {
  Port here;
  const Json answer = here.Ask();
  auto session = here.Agree(answer);
  Bytes forged = Port::Hello(answer, session.sealer);
  forged.back() ^= 1;
  const Descriptor connection = here.Connect();
  Port::Write(connection, forged);
  CHECK(here.Hear(connection).empty());
  CHECK(here.port.Dropped() == 1);
  REQUIRE(here.said.size() == 2);
  CHECK(here.said[1].body.at("end") == answer.at("session"));
  CHECK(here.port.Send(kPeer, EncodeHeader(here.said[0]), MakeRequest(1, "x", Json::object(), Blob(Bytes(100'000)))) ==
        BulkSent::kNotHere);
}

TEST_CASE("a beginning that was recorded opens no second bulk line") {
  Port here;
  const Json answer = here.Ask();
  auto session = here.Agree(answer);
  const Bytes hello = Port::Hello(answer, session.sealer);
  const Descriptor first = here.Connect();
  Port::Write(first, hello);
  CHECK(here.Hear(first).size() == kHelloFrame);
  const Descriptor second = here.Connect();
  Port::Write(second, hello);
  CHECK(here.Hear(second).empty());
  CHECK(here.port.Dropped() == 1);
}

TEST_CASE("a forged frame ends its bulk line and nothing of it is heard") {
  Port here;
  const Json answer = here.Ask();
  auto session = here.Agree(answer);
  const Descriptor connection = here.Connect();
  Port::Write(connection, Port::Hello(answer, session.sealer));
  CHECK(here.Hear(connection).size() == kHelloFrame);
  BlobPool pool;
  auto frame = MakeBulkFrame(session.sealer, BulkKind::kSealedMessage,
                             EncodeHeader(MakeRequest(5, "artifact.get", Json::object())), Blob(Bytes(1000)), pool);
  Bytes wire = frame->lead;
  wire.resize(wire.size() + 1000, 1);  // another blob than the one that was sealed
  wire.insert(wire.end(), frame->tag.begin(), frame->tag.end());
  Port::Write(connection, wire);
  CHECK(here.Hear(connection).empty());
  CHECK(here.arrived.empty());
  CHECK(here.port.Dropped() == 1);
  CHECK(here.said.back().body.at("received") == 0);
}

TEST_CASE("whoever is evicted loses its bulk line in the same moment") {
  Port here;
  const Json answer = here.Ask();
  auto session = here.Agree(answer);
  const Descriptor connection = here.Connect();
  Port::Write(connection, Port::Hello(answer, session.sealer));
  CHECK(here.Hear(connection).size() == kHelloFrame);
  BlobPool pool;
  const auto frame = MakeBulkFrame(session.sealer, BulkKind::kMessage,
                                   EncodeHeader(MakeRequest(5, "artifact.get", Json::object())), {}, pool);
  Port::Write(connection, frame->lead);
  here.port.Forget(kPeer);
  CHECK(here.Hear(connection).empty());
  CHECK(here.arrived.empty());
}

TEST_CASE("a token gets no bulk line") {
  Port here;
  CHECK(here.Ask({CallerKind::kToken, "t", BigId{1}, false}) == Json({{"port", 0}}));
}

TEST_CASE("a bulk port that cannot be reached is given up in time and tried again later") {
  std::vector<Envelope> said;
  BulkDial dial(
      "root", Loopback(),
      [&said](Bytes header, const Blob&) {
        said.push_back(DecodeHeader(header).value());
        return Sent::kYes;
      },
      std::make_shared<BlobPool>(), Quick());
  dial.SawLarge();
  REQUIRE(said.size() == 1);
  // A port that takes connections and never answers, as a firewall's does that drops what it is sent.
  const auto [blocked, port] = ListenTcp("127.0.0.1", 0).value();
  const auto offer = crypto::SessionOffer::Make();
  const std::string id(32, 'a');
  const Envelope answer =
      MakeReply(said[0], {{"port", port}, {"session", id}, {"key", crypto::ToText(offer.Public().bytes)}});
  dial.Hear(DecodeHeader(EncodeHeader(answer)).value());
  CHECK(dial.Side().State() == BulkState::kOpening);
  const Envelope large = MakeRequest(1, "artifact.get", Json::object(), Blob(Bytes(100'000)));
  CHECK(dial.Side().Send(EncodeHeader(large), large) == BulkSent::kNotHere);
  std::deque<Envelope> none;
  const auto end = SteadyNow() + 20s;
  while (dial.Side().State() != BulkState::kNone && SteadyNow() < end) dial.Serve(none, 64);
  REQUIRE(said.size() == 2);
  CHECK(said[1].body == Json({{"end", id}, {"received", 0}}));
  while (said.size() == 2 && SteadyNow() < end) dial.SawLarge();
  REQUIRE(said.size() == 3);
  CHECK(said[2].kind == MessageKind::kRequest);
}

TEST_CASE("a peer that knows no bulk lines is not asked again and again") {
  std::vector<Envelope> said;
  ZmqOptions options = Quick();
  options.bulk.retry_max = 1h;
  BulkDial dial(
      "root", Loopback(),
      [&said](Bytes header, const Blob&) {
        said.push_back(DecodeHeader(header).value());
        return Sent::kYes;
      },
      std::make_shared<BlobPool>(), options);
  dial.SawLarge();
  REQUIRE(said.size() == 1);
  dial.Hear(MakeError(said[0], Error{ErrorId::kProtocol, "no such verb", {}}));
  for (int i = 0; i < 10; ++i) dial.SawLarge();
  CHECK(said.size() == 1);
}

}  // namespace ote::wire
