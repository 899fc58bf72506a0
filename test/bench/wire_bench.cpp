// bench-link: ote_wire
// What the encrypted transport carries over loopback tcp, beside ZeroMQ alone with and without CURVE in the same run.
#include <benchmark/benchmark.h>

#include <thread>
#include <zmq.hpp>

#include "core/wire/client.h"
#include "core/wire/zmq_transport.h"

namespace {

using namespace std::chrono_literals;
using namespace ote;
using namespace ote::wire;

class Everyone final : public Admission {
 public:
  std::optional<Caller> Admit(const crypto::TransportPublic&) override {
    return Caller{CallerKind::kMember, "bench", BigId{1}, false};
  }
};

// Answers every request with its blob, or with none.
class Server {
 public:
  explicit Server(bool echo) : transport_(MakeZmqTransport(&key, &admission_).value()) {
    endpoint = transport_->Bind("tcp://127.0.0.1:0").value();
    thread_ = std::jthread([this, echo](std::stop_token stop) {
      while (!stop.stop_requested()) {
        for (const Event& event : transport_->Wait(1s)) {
          if (event.kind != EventKind::kPeerMessage) continue;
          const Blob blob = echo ? event.envelope.blob : Blob();
          if (!transport_->Send(event.peer, MakeReply(event.envelope, Json::object(), blob))) std::abort();
        }
      }
    });
  }
  ~Server() {
    thread_.request_stop();
    transport_->Wake();
  }
  crypto::TransportKey key = crypto::TransportKey::Generate();
  std::string endpoint;

 private:
  Everyone admission_;
  std::unique_ptr<Transport> transport_;
  std::jthread thread_;
};

// Chunks pushed one after another, eight on their way at a time, each acknowledged.
void OteChunks(benchmark::State& state) {
  crypto::Init();
  Server server(false);
  const auto key = crypto::TransportKey::Generate();
  auto transport = MakeZmqTransport(nullptr, nullptr).value();
  const LinkId link = transport->Connect({server.endpoint, server.key.Public()}, key).value();
  const auto size = static_cast<std::size_t>(state.range(0));
  const Blob blob{Bytes(size, 7)};
  bool up = false;
  while (!up) {
    for (const Event& event : transport->Wait(1s)) up = up || event.kind == EventKind::kLinkUp;
  }
  int flying = 0;
  const auto await = [&](int until) {
    while (flying > until) {
      for (const Event& event : transport->Wait(1s)) flying -= event.kind == EventKind::kLinkMessage ? 1 : 0;
    }
  };
  for (auto _ : state) {
    if (!transport->Send(link, MakeRequest(1, "artifact.get", Json::object(), blob))) std::abort();
    ++flying;
    await(7);
  }
  await(0);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void RoundTrip(benchmark::State& state) {
  crypto::Init();
  Server server(true);
  const auto key = crypto::TransportKey::Generate();
  auto client =
      Client::Open(MakeZmqTransport(nullptr, nullptr).value(), {server.endpoint, server.key.Public()}, key, 5s).value();
  for (auto _ : state) {
    if (!client.Call("member.heartbeat", Json::object(), 5s)) std::abort();
  }
}

// The same pattern with nothing of ours: the limit.
void ZmqChunks(benchmark::State& state, bool curve) {
  zmq::context_t context(2);
  zmq::socket_t router(context, zmq::socket_type::router);
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  const auto server_key = crypto::TransportKey::Generate();
  const auto client_key = crypto::TransportKey::Generate();
  if (curve) {
    const auto set = [](zmq::socket_t& socket, auto option, ByteView bytes) {
      socket.set(option, zmq::const_buffer(bytes.data(), bytes.size()));
    };
    router.set(zmq::sockopt::curve_server, true);
    set(router, zmq::sockopt::curve_secretkey, server_key.Secret());
    set(dealer, zmq::sockopt::curve_serverkey, server_key.Public().bytes);
    set(dealer, zmq::sockopt::curve_publickey, client_key.Public().bytes);
    set(dealer, zmq::sockopt::curve_secretkey, client_key.Secret());
  }
  router.bind("tcp://127.0.0.1:*");
  dealer.connect(router.get(zmq::sockopt::last_endpoint));
  std::jthread server([&router] {
    zmq::message_t id;
    zmq::message_t part;
    while (true) {
      static_cast<void>(router.recv(id));
      static_cast<void>(router.recv(part));
      const bool stop = part.size() == 0;
      router.send(id, zmq::send_flags::sndmore);
      router.send(zmq::str_buffer("k"), zmq::send_flags::none);
      if (stop) return;
    }
  });
  const Bytes data(static_cast<std::size_t>(state.range(0)), 7);
  int flying = 0;
  zmq::message_t answer;
  for (auto _ : state) {
    zmq::message_t frame(
        const_cast<std::uint8_t*>(data.data()), data.size(), [](void*, void*) {}, nullptr);
    dealer.send(frame, zmq::send_flags::none);
    if (++flying == 8) {
      static_cast<void>(dealer.recv(answer));
      --flying;
    }
  }
  for (; flying > 0; --flying) static_cast<void>(dealer.recv(answer));
  dealer.send(zmq::const_buffer("", 0), zmq::send_flags::none);
  static_cast<void>(dealer.recv(answer));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void EncodeDecode(benchmark::State& state) {
  const Envelope envelope = MakeRequest(7, "fl.offer", {{"run", "run-7k2m9q4x0d"}, {"round", 3}, {"examples", 1797}});
  for (auto _ : state) {
    auto back = DecodeHeader(EncodeHeader(envelope));
    benchmark::DoNotOptimize(back);
  }
}

}  // namespace

BENCHMARK(OteChunks)->Arg(4 << 20)->Arg(64 << 10)->UseRealTime();
BENCHMARK_CAPTURE(ZmqChunks, curve, true)->Arg(4 << 20)->Arg(64 << 10)->UseRealTime();
BENCHMARK_CAPTURE(ZmqChunks, plain, false)->Arg(4 << 20)->UseRealTime();
BENCHMARK(RoundTrip)->UseRealTime();
BENCHMARK(EncodeDecode);
