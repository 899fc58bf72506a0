// bench-link: ote_wire
// What it costs to bring an update of 40 MB from one process to another so that nobody between them can read or change
// it: sealed by the one, carried by the transport, opened by the other. Beside ZeroMQ alone, with and without CURVE,
// and what the machine's memory and cipher do, in the same run and taking turns, since the machine may have other work.
//
//   sealed_wire_bench [ROUNDS [CHUNKS OF 64 KiB IN A MESSAGE]]
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <zmq.hpp>

#include "core/wire/bulk_frame.h"
#include "core/wire/zmq_transport.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"
#include "crypto/session.h"

namespace {

using namespace std::chrono_literals;
using namespace ote;
using namespace ote::wire;

constexpr std::size_t kUpdate = 40'000'000;
std::size_t plain_piece = 16 * crypto::kSealedChunk;  // in one message
std::size_t Pieces() { return (kUpdate + plain_piece - 1) / plain_piece; }
constexpr std::size_t kWindow = 8;
constexpr std::string_view kUse = "bench";

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// One way to bring the update over: a process that has it, and what asks for it here.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // Brings it over once.
  virtual void Once() = 0;
  // Processor time that the other process has used.
  virtual double Elsewhere() const { return 0; }
};

double CpuSeconds(clockid_t clock) {
  timespec time{};
  return ::clock_gettime(clock, &time) == 0 ? static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9
                                            : 0;
}

[[noreturn]] void Give(const char* what) {
  std::fprintf(stderr, "sealed_wire_bench: %s\n", what);
  std::abort();
}

Bytes MakeUpdate() {
  Bytes out(kUpdate);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  return out;
}

// Runs `body` in a process of its own, which gives back a line of text by a pipe and then goes on until it is killed.
class Process {
 public:
  explicit Process(const std::function<void(const std::function<void(const std::string&)>&)>& body) {
    int pipe[2] = {-1, -1};
    if (::pipe(pipe) != 0) Give("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(pipe[0]);
      body([&pipe](const std::string& text) {
        if (::write(pipe[1], (text + "\n").data(), text.size() + 1) < 0) std::_Exit(1);
      });
      std::_Exit(0);
    }
    ::close(pipe[1]);
    for (char c = 0; ::read(pipe[0], &c, 1) == 1 && c != '\n';) line.push_back(c);
    ::close(pipe[0]);
  }
  ~Process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  double Cpu() const {
    clockid_t clock = 0;
    return ::clock_getcpuclockid(pid_, &clock) == 0 ? CpuSeconds(clock) : 0;
  }
  std::string line;

 private:
  pid_t pid_ = -1;
};

void SetKey(zmq::socket_t& socket, auto option, ByteView bytes) {
  socket.set(option, zmq::const_buffer(bytes.data(), bytes.size()));
}

// ZeroMQ alone: a request, and the update as the answer, whole or in pieces with some on their way at a time.
class Alone final : public Exchange {
 public:
  Alone(bool curve, std::size_t piece)
      : piece_(piece), process_([&](const auto& tell) { Serve(curve, piece, tell); }), context_(1) {
    socket_ = zmq::socket_t(context_, zmq::socket_type::dealer);
    if (curve) {
      const auto key = crypto::TransportKey::Generate();
      SetKey(socket_, zmq::sockopt::curve_serverkey, ServerKey().Public().bytes);
      SetKey(socket_, zmq::sockopt::curve_publickey, key.Public().bytes);
      SetKey(socket_, zmq::sockopt::curve_secretkey, key.Secret());
    }
    socket_.set(zmq::sockopt::linger, 0);
    socket_.connect(process_.line);
  }

  double Elsewhere() const override { return process_.Cpu(); }
  void Once() override {
    std::size_t asked = 0;
    std::size_t come = 0;
    const std::size_t all = (kUpdate + piece_ - 1) / piece_;
    zmq::message_t message;
    while (come < all) {
      for (; asked < all && asked < come + kWindow; ++asked) {
        const std::size_t offset = asked * piece_;
        socket_.send(zmq::const_buffer(&offset, sizeof offset), zmq::send_flags::none);
      }
      static_cast<void>(socket_.recv(message));
      ++come;
    }
  }

 private:
  static const crypto::TransportKey& ServerKey() {
    static const auto key = crypto::TransportKey::FromSecret(Bytes(32, 9)).value();
    return key;
  }
  static void Serve(bool curve, std::size_t piece, const std::function<void(const std::string&)>& tell) {
    const Bytes update = MakeUpdate();
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::router);
    if (curve) {
      socket.set(zmq::sockopt::curve_server, true);
      SetKey(socket, zmq::sockopt::curve_secretkey, ServerKey().Secret());
    }
    socket.bind("tcp://127.0.0.1:*");
    tell(socket.get(zmq::sockopt::last_endpoint));
    zmq::message_t id;
    zmq::message_t ask;
    while (true) {
      static_cast<void>(socket.recv(id));
      static_cast<void>(socket.recv(ask));
      std::size_t offset = 0;
      std::memcpy(&offset, ask.data(), sizeof offset);
      zmq::message_t answer(
          const_cast<std::uint8_t*>(update.data() + offset), std::min(piece, kUpdate - offset), [](void*, void*) {},
          nullptr);
      socket.send(id, zmq::send_flags::sndmore);
      socket.send(answer, zmq::send_flags::none);
    }
  }

  std::size_t piece_;
  Process process_;
  zmq::context_t context_;
  zmq::socket_t socket_;
};

class Everyone final : public Admission {
 public:
  std::optional<Caller> Admit(const crypto::TransportPublic&) override {
    return Caller{CallerKind::kMember, "bench", BigId{1}, false};
  }
};

enum class Hidden { kByLine, kBySeal, kByBoth };

// The transport of the agents, sealed or not, with its bulk line or without.
class Ours final : public Exchange {
 public:
  Ours(Hidden hidden, bool bulk)
      : sealed_(hidden != Hidden::kByLine),
        process_([&](const auto& tell) { Serve(hidden, bulk, tell); }),
        transport_(MakeZmqTransport(nullptr, nullptr, Options(bulk)).value()),
        update_(kUpdate) {
    link_ = transport_->Connect({process_.line, Key(9).Public()}, Key(8)).value();
    for (bool up = false; !up;) {
      for (const Event& event : transport_->Wait(1s)) up = up || event.kind == EventKind::kLinkUp;
    }
    do {
      Once();
    } while (bulk && transport_->BulkMessages() < 2 * Pieces());
    const Bytes wanted = MakeUpdate();
    if (update_ != wanted) Give("what arrived is not what was sent");
  }

  double Elsewhere() const override { return process_.Cpu(); }
  void Once() override {
    opener_.reset();
    std::size_t asked = 0;
    std::size_t come = 0;
    while (come < Pieces()) {
      for (; asked < Pieces() && asked < come + kWindow; ++asked) {
        const Envelope ask = MakeRequest(asked, "artifact.get", {{"offset", asked * plain_piece}});
        if (!transport_->Send(link_, ask)) Give("not sent");
      }
      for (const Event& event : transport_->Wait(1s)) {
        if (event.kind != EventKind::kLinkMessage) Give("the link was lost");
        Take(event.envelope);
        ++come;
      }
    }
  }

 private:
  static ZmqOptions Options(bool bulk) {
    ZmqOptions options;
    options.bulk.use = bulk;
    return options;
  }
  static crypto::TransportKey Key(std::uint8_t fill) {
    return crypto::TransportKey::FromSecret(Bytes(32, fill)).value();
  }

  static void Serve(Hidden hidden, bool bulk, const std::function<void(const std::string&)>& tell) {
    const auto update = std::make_shared<const Bytes>(MakeUpdate());
    const auto key = Key(9);
    Everyone everyone;
    auto transport = MakeZmqTransport(&key, &everyone, Options(bulk)).value();
    tell(transport->Bind("tcp://127.0.0.1:0").value());
    std::optional<crypto::Sealer> sealer;
    while (true) {
      for (const Event& event : transport->Wait(1s)) {
        const auto offset = event.envelope.body.at("offset").get<std::size_t>();
        const ByteView piece = ByteView(*update).subspan(offset, std::min(plain_piece, kUpdate - offset));
        Json about = Json::object();
        Blob blob(piece, update);
        if (hidden != Hidden::kByLine) {
          if (offset == 0) sealer.emplace(crypto::Sealer::To(Key(8).Public(), AsBytes(kUse)).value());
          about["header"] = Base64UrlEncode(sealer->Header());
          blob = SealPiece(*sealer, piece, offset);
          if (hidden == Hidden::kBySeal) blob = std::move(blob).AsSealed();
        }
        if (!transport->Send(event.peer, MakeReply(event.envelope, std::move(about), std::move(blob))))
          Give("not sent");
      }
    }
  }
  static Blob SealPiece(crypto::Sealer& sealer, ByteView piece, std::size_t offset) {
    const std::size_t chunks = (piece.size() + crypto::kSealedChunk - 1) / crypto::kSealedChunk;
    static const auto pool = std::make_shared<BlobPool>();
    auto [room, owner] = pool->Take(piece.size() + chunks * crypto::kSealedTag);
    std::span<std::uint8_t> out = room;
    const bool ends = offset + piece.size() == kUpdate;
    while (!piece.empty()) {
      const std::size_t size = std::min(piece.size(), crypto::kSealedChunk);
      sealer.Next(piece.first(size), ends && size == piece.size(), out.first(size + crypto::kSealedTag));
      piece = piece.subspan(size);
      out = out.subspan(size + crypto::kSealedTag);
    }
    return Blob(room, std::move(owner));
  }

  void Take(const Envelope& answer) {
    std::size_t offset = answer.id * plain_piece;
    if (!sealed_) {
      std::copy(answer.blob.View().begin(), answer.blob.View().end(), update_.begin() + static_cast<long>(offset));
      return;
    }
    if (!opener_) {
      const auto header = Base64UrlDecode(answer.body.at("header").get<std::string>()).value();
      opener_.emplace(crypto::Opener::For(Key(8), AsBytes(kUse), header).value());
    }
    ByteView rest = answer.blob.View();
    while (!rest.empty()) {
      const std::size_t size = std::min(rest.size(), crypto::kSealedChunk + crypto::kSealedTag);
      const std::size_t plain = size - crypto::kSealedTag;
      const auto opened = opener_->Open(offset / crypto::kSealedChunk, offset + plain == kUpdate, rest.first(size),
                                        std::span(update_).subspan(offset, plain));
      if (!opened) Give("a chunk does not open");
      rest = rest.subspan(size);
      offset += plain;
    }
  }

  const bool sealed_;
  Process process_;
  std::unique_ptr<Transport> transport_;
  LinkId link_;
  Bytes update_;
  std::optional<crypto::Opener> opener_;
};

// What the machine itself does, in one thread.
class Copying final : public Exchange {
 public:
  void Once() override { std::memcpy(to_.data(), from_.data(), kUpdate); }

 private:
  Bytes from_ = MakeUpdate();
  Bytes to_ = Bytes(kUpdate);
};
class Sealing final : public Exchange {
 public:
  void Once() override {
    auto sealer = crypto::Sealer::WithKey(Bytes(32, 3), AsBytes(kUse));
    for (std::size_t at = 0; at < kUpdate; at += crypto::kSealedChunk) {
      const ByteView chunk = ByteView(from_).subspan(at, std::min(crypto::kSealedChunk, kUpdate - at));
      sealer.Next(chunk, at + chunk.size() == kUpdate, std::span(out_).first(chunk.size() + crypto::kSealedTag));
    }
  }

 private:
  Bytes from_ = MakeUpdate();
  Bytes out_ = Bytes(crypto::kSealedChunk + crypto::kSealedTag);
};
class Binding final : public Exchange {
 public:
  void Once() override {
    for (std::size_t at = 0; at < kUpdate; at += plain_piece) {
      static_cast<void>(sealer_.Seal(ByteView(from_).subspan(at, std::min(plain_piece, kUpdate - at)), {}, {}).value());
    }
  }

 private:
  Bytes from_ = MakeUpdate();
  crypto::SessionSealer sealer_{Bytes(32, 3)};
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 25;
  if (argc > 2) plain_piece = static_cast<std::size_t>(std::max(1, std::atoi(argv[2]))) * crypto::kSealedChunk;
  crypto::Init();
  struct Row {
    const char* name;
    std::unique_ptr<Exchange> exchange;
    std::vector<double> rates;
    std::vector<double> ratios;
    std::vector<double> cpu;  // of both processes, a byte, in ns
  };
  std::vector<Row> rows;
  const auto add = [&rows](const char* name, std::unique_ptr<Exchange> exchange) {
    rows.push_back({name, std::move(exchange), {}, {}, {}});
  };
  add("ZeroMQ plain, one message", std::make_unique<Alone>(false, kUpdate));
  add("ZeroMQ plain, in pieces", std::make_unique<Alone>(false, plain_piece));
  add("ZeroMQ with CURVE, one message", std::make_unique<Alone>(true, kUpdate));
  add("ote, CURVE alone, not sealed", std::make_unique<Ours>(Hidden::kByLine, false));
  add("ote, CURVE alone, sealed", std::make_unique<Ours>(Hidden::kBySeal, false));
  add("ote, bulk line, not sealed", std::make_unique<Ours>(Hidden::kByLine, true));
  add("ote, bulk line, sealed", std::make_unique<Ours>(Hidden::kBySeal, true));
  add("  and encrypted again by the line", std::make_unique<Ours>(Hidden::kByBoth, true));
  add("memcpy", std::make_unique<Copying>());
  add("sealing, one thread", std::make_unique<Sealing>());
  add("tag of a bulk frame, one thread", std::make_unique<Binding>());
  for (int round = -1; round < rounds; ++round) {
    for (Row& row : rows) {
      row.exchange->Once();  // wakes what slept
      const auto cpu = [&row] { return CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) + row.exchange->Elsewhere(); };
      const double cpu_before = cpu();
      const double begin = Seconds();
      for (int i = 0; i < 3; ++i) row.exchange->Once();
      const double rate = 3 * static_cast<double>(kUpdate) / (Seconds() - begin) / 1e9;
      if (round < 0) continue;
      row.rates.push_back(rate);
      row.cpu.push_back((cpu() - cpu_before) / 3 / static_cast<double>(kUpdate) * 1e9);
      row.ratios.push_back(rate / rows.front().rates.back());
    }
  }
  std::printf("%-36s %8s %8s %15s\n", "40 MB between two processes", "GB/s", "of plain", "least CPU ns/B");
  for (const Row& row : rows) {
    std::printf("%-36s %8.2f %8.2f %15.3f\n", row.name, Median(row.rates), Median(row.ratios),
                *std::min_element(row.cpu.begin(), row.cpu.end()));
  }
  return 0;
}
