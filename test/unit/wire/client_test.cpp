#include "core/wire/client.h"

#include <cstdlib>
#include <thread>

#include "test/unit/wire/zmq_fixture.h"

namespace ote::wire {
namespace {

using namespace testing;

// Answers in a thread of its own until it goes.
class Responder {
 public:
  using Answer = std::function<void(Transport&, const Event&)>;
  Responder(Transport& transport, Answer answer)
      : transport_(transport), thread_([this, answer](std::stop_token stop) {
          while (!stop.stop_requested()) {
            for (const Event& event : transport_.Wait(10s)) {
              if (event.kind == EventKind::kPeerMessage) answer(transport_, event);
            }
          }
        }) {}
  ~Responder() {
    thread_.request_stop();
    transport_.Wake();
  }

 private:
  Transport& transport_;
  std::jthread thread_;
};

// Catch's own checks are for one thread only.
void Must(const Result<void>& sent) {
  if (!sent) std::abort();
}

void Echo(Transport& transport, const Event& event) {
  const Envelope& request = event.envelope;
  if (request.verb == "fail") {
    Must(transport.Send(event.peer, MakeError(request, {ErrorId::kRunUnknown, "run x: no such run", "ote fl list"})));
  } else if (request.verb == "count") {
    for (int i = 0; i < 3; ++i) Must(transport.Send(event.peer, MakeReply(request, {{"i", i}}, {}, false)));
    Must(transport.Send(event.peer, MakeReply(request, {{"total", 3}})));
  } else if (request.verb == "late") {
    Must(transport.Send(event.peer, MakeReply(MakeRequest(request.id + 1000, "late", {}), {{"wrong", true}})));
    Must(transport.Send(event.peer, MakeReply(request, {{"right", true}})));
  } else if (request.verb != "silent") {
    Must(transport.Send(event.peer, MakeReply(request, request.body, request.blob)));
  }
}

Result<Client> OpenTo(Pair& pair, std::chrono::milliseconds patience = 10s) {
  return Client::Open(MakeQuick(nullptr, nullptr), pair.Where(), pair.member_key, patience);
}

}  // namespace

TEST_CASE("a call returns the answer with its blob") {
  Pair pair;
  const Responder responder(*pair.server, Echo);
  auto client = OpenTo(pair);
  REQUIRE(client);
  const auto answer = client->Call("echo", {{"x", 1}}, 10s, Blob(Bytes{9, 8}));
  REQUIRE(answer);
  CHECK(answer->body == Json({{"x", 1}}));
  CHECK(Bytes(answer->blob.View().begin(), answer->blob.View().end()) == Bytes{9, 8});
  const auto second = client->Call("late", Json::object(), 10s);
  REQUIRE(second);
  CHECK(second->body == Json({{"right", true}}));
}

TEST_CASE("a remote error comes back as it was made there") {
  Pair pair;
  const Responder responder(*pair.server, Echo);
  auto client = OpenTo(pair);
  REQUIRE(client);
  const auto answer = client->Call("fail", Json::object(), 10s);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().id == ErrorId::kRunUnknown);
  CHECK(answer.error().message == "run x: no such run");
  CHECK(answer.error().hint == "ote fl list");
}

TEST_CASE("a stream gives each item and returns the last, or what stopped it") {
  Pair pair;
  const Responder responder(*pair.server, Echo);
  auto client = OpenTo(pair);
  REQUIRE(client);
  std::vector<int> items;
  const auto collect = [&items](Envelope&& item) -> Result<void> {
    items.push_back(item.body["i"].get<int>());
    return {};
  };
  const auto last = client->Stream("count", Json::object(), 10s, collect);
  REQUIRE(last);
  CHECK(last->body == Json({{"total", 3}}));
  CHECK(items == std::vector<int>{0, 1, 2});

  const auto fail = [](Envelope&&) -> Result<void> { return Fail(ErrorId::kNoSpace, "write: no space"); };
  CHECK(client->Stream("count", Json::object(), 10s, fail).error().id == ErrorId::kNoSpace);

  std::stop_source stop;
  const std::jthread stopper([&stop] { stop.request_stop(); });
  const auto stopped = client->Stream("silent", Json::object(), 60s, collect, stop.get_token());
  CHECK(stopped.error().id == ErrorId::kInterrupted);
  CHECK(client->Call("echo", Json::object(), 10s));  // and it can be used again
}

TEST_CASE("an answer that does not come is a timeout") {
  Pair pair;
  const Responder responder(*pair.server, Echo);
  auto client = OpenTo(pair);
  REQUIRE(client);
  CHECK(client->Call("silent", Json::object(), 30ms).error().id == ErrorId::kTimedOut);
}

TEST_CASE("a link that is lost on the way ends the call") {
  Pair pair;
  std::optional<Responder> responder;
  responder.emplace(*pair.server, Echo);
  auto client = OpenTo(pair);
  REQUIRE(client);
  REQUIRE(client->Call("echo", Json::object(), 10s));
  responder.reset();
  pair.server.reset();
  const auto answer = client->Call("echo", Json::object(), 10s);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().id == ErrorId::kUnreachable);
}

TEST_CASE("opening tells why it does not work") {
  Pair pair;
  const Responder responder(*pair.server, Echo);
  const auto stranger = crypto::TransportKey::Generate();
  const auto open = [&](const Target& target, const crypto::TransportKey& key, std::chrono::milliseconds patience) {
    auto client = Client::Open(MakeQuick(nullptr, nullptr), target, key, patience);
    return client ? Error{ErrorId::kInternal, "it opened", {}} : client.error();
  };
  CHECK(open(pair.Where(), stranger, 10s).id == ErrorId::kPermission);
  CHECK(open({pair.endpoint, stranger.Public()}, pair.member_key, 10s).id == ErrorId::kPinMismatch);
  const Error nobody = open({"ipc:///nowhere/agent.sock", pair.server_key.Public()}, pair.member_key, 60ms);
  CHECK(nobody.id == ErrorId::kUnreachable);
  CHECK(nobody.message == "nothing answers at ipc:///nowhere/agent.sock within 60ms");
  CHECK(open({"what", pair.server_key.Public()}, pair.member_key, 60ms).id == ErrorId::kEndpointInvalid);
}

}  // namespace ote::wire
