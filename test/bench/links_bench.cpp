// bench-link: ote_agent_lib
// Hundreds of real connections to one agent: ZeroMQ with CURVE over loopback, the agent in one process and its members,
// which speak the protocol by hand, in another. In the same run, what the machine itself does with as many plain TCP
// connections.
//
//   links_bench [MEMBERS]     500 when left out
#include <arpa/inet.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>

#include "core/base/log.h"
#include "core/wire/zmq_transport.h"
#include "test/fake/big_tree.h"

namespace {

using namespace ote;
using namespace ote::test;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kBody = 1'024;
constexpr std::size_t kInOneProcess = 100;
constexpr auto kLongest = std::chrono::seconds(120);

[[noreturn]] void Die(const std::string& why) {
  fmt::print(stderr, "links_bench: {}\n", why);
  std::exit(1);
}
void Row(const std::string& what, const std::string& value) {
  fmt::print("{:<62} {:>20}\n", what, value);
  std::fflush(stdout);
}
double Resident() {
  ::malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}
double Cpu() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Until it is ended from outside: says hello over each line, beats, and does what it is told.
[[noreturn]] void Members(const std::vector<Joined>& members, const wire::Target& root) {
  const SystemClock clock;
  const auto transport = Must(wire::MakeZmqTransport(nullptr, nullptr));
  std::map<wire::LinkId, std::size_t> by_link;
  for (std::size_t i = 0; i < members.size(); ++i) by_link[Must(transport->Connect(root, members[i].key))] = i;
  std::uint64_t last_id = 0;
  const auto held = [&](std::size_t i) { return api::TrustHeld{members[i].record.serial, 0, {}}; };
  const auto ask = [&](wire::LinkId link, std::string_view verb, Json body) {
    (void)transport->Send(link, wire::MakeRequest(++last_id, verb, std::move(body)));
  };
  auto beat = Steady::now() + std::chrono::seconds(5);
  while (true) {
    for (auto& event : transport->Wait(milliseconds(100))) {
      const auto it = by_link.find(event.link);
      if (it == by_link.end()) continue;
      const auto link = event.link;
      const auto& request = event.envelope;
      if (event.kind == wire::EventKind::kLinkUp) {
        api::MemberHello hello;
        hello.now = clock.WallNow();
        hello.epoch = hello.now;
        hello.trust = held(it->second);
        ask(link, api::verb::kMemberHello, ToJson(hello));
      } else if (event.kind != wire::EventKind::kLinkMessage || request.kind != wire::MessageKind::kRequest) {
        continue;
      } else if (request.verb == api::verb::kCommandRun) {
        const auto command = Must(FromWire<api::Command>(request.body));
        api::CommandOutcome outcome;
        outcome.id = command.id;
        outcome.issuer = command.issuer;
        outcome.cluster = members[it->second].record.name;
        outcome.phase = api::CommandPhase::kAcknowledged;
        (void)transport->Send(link, wire::MakeReply(request, ToJson(outcome)));
        outcome.phase = api::CommandPhase::kDone;
        ask(link, api::verb::kCommandOutcome, ToJson(outcome));
      } else {
        (void)transport->Send(link, wire::MakeReply(request, Json::object()));
      }
    }
    if (Steady::now() < beat) continue;
    beat += std::chrono::seconds(5);
    for (const auto& [link, i] : by_link) ask(link, api::verb::kMemberHeartbeat, ToJson(held(i)));
  }
}

void All(int fd, char* bytes, std::size_t count, bool write) {
  for (std::size_t done = 0; done < count;) {
    const auto n =
        write ? ::send(fd, bytes + done, count - done, MSG_NOSIGNAL) : ::recv(fd, bytes + done, count - done, 0);
    if (n <= 0) Die("a plain connection ended");
    done += static_cast<std::size_t>(n);
  }
}

// What is the least that it can take: as many plain connections, a message to each, then an answer from each.
void Plain(int members) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(listener, address, length) != 0 || ::listen(listener, 1'024) != 0) Die("no plain listener");
  ::getsockname(listener, address, &length);
  const auto child = ::fork();
  std::vector<char> body(kBody, 'x');
  std::vector<pollfd> lines;
  const int on = 1;
  if (child == 0) {
    for (int i = 0; i < members; ++i) {
      const int line = ::socket(AF_INET, SOCK_STREAM, 0);
      if (::connect(line, address, length) != 0) std::_Exit(1);
      ::setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      lines.push_back({line, POLLIN, 0});
    }
    while (::poll(lines.data(), lines.size(), -1) > 0) {
      for (const auto& line : lines) {
        if (line.revents == 0) continue;
        if (::recv(line.fd, body.data(), 1, MSG_PEEK) <= 0) std::_Exit(0);
        All(line.fd, body.data(), kBody, false);
        All(line.fd, body.data(), kBody, true);
      }
    }
    std::_Exit(0);
  }
  const auto began = Steady::now();
  for (int i = 0; i < members; ++i) {
    const int line = ::accept(listener, nullptr, nullptr);
    if (line < 0) Die("a plain connection did not come");
    ::setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    lines.push_back({line, POLLIN, 0});
  }
  const auto in_ms = [](auto time) { return std::chrono::duration<double, std::milli>(time).count(); };
  Row("plain TCP: all connected", fmt::format("{:.1f} ms", in_ms(Steady::now() - began)));
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begun = Steady::now();
    for (const auto& line : lines) All(line.fd, body.data(), kBody, true);
    for (const auto& line : lines) All(line.fd, body.data(), kBody, false);
    best = std::min(best, in_ms(Steady::now() - begun));
  }
  Row(fmt::format("plain TCP: {} B to all, and {} B back from all, best of 5", kBody, kBody),
      fmt::format("{:.1f} ms", best));
  for (const auto& line : lines) ::close(line.fd);
  ::close(listener);
  ::waitpid(child, nullptr, 0);
}

class Timed {
 public:
  void Print(const std::string& what) const {
    Row(what,
        fmt::format("{:.1f} ms, CPU {:.1f}", std::chrono::duration<double, std::milli>(Steady::now() - at_).count(),
                    (Cpu() - cpu_) * 1e3));
  }

 private:
  Steady::time_point at_ = Steady::now();
  double cpu_ = Cpu();
};

void StepUntil(agent::Node& node, const std::function<bool()>& done, const char* what) {
  const auto end = Steady::now() + kLongest;
  while (!done()) {
    if (Steady::now() > end) Die(what);
    node.Step(milliseconds(100));
  }
}

void Root(agent::Node& node, const std::vector<Joined>& members, const Timed& since, double resident) {
  StepUntil(
      node,
      [&] {
        return std::ranges::all_of(members, [&](const auto& it) { return node.members().Ready(it.record.name); });
      },
      "not all connected");
  since.Print("the agent: all connected with CURVE, and welcomed");
  Row("  resident memory for each",
      fmt::format("{:.1f} KiB", (Resident() - resident) / 1024 / static_cast<double>(members.size())));
  const Timed idle;
  const auto end = Steady::now() + std::chrono::seconds(10);
  while (Steady::now() < end) node.Step(milliseconds(100));
  idle.Print("  two heartbeats of all");
  std::vector<std::string> names;
  for (const auto& member : members) names.push_back(member.record.name);
  std::size_t over = 0;
  std::string id;
  node.commands().OnOutcome([&](const api::CommandOutcome& outcome) {
    if (outcome.id == id && outcome.Over()) ++over;
  });
  for (int round = 0; round < 3; ++round) {
    agent::CommandBus::Order order;
    order.verb = "test.run";
    order.body = {{"text", std::string(kBody, 'x')}};
    over = 0;
    const Timed timed;
    id = Must(node.commands().Issue(order, names));
    StepUntil(
        node, [&] { return over == names.size(); }, "not all have done it");
    timed.Print(fmt::format("  a durable command of {} B to all, and all outcomes on disk", kBody));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 500;
  if (count < 1) return 2;
  log::Configure(log::Level::kError, log::Format::kText);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  fmt::print("{} members of one agent, over loopback\n\n", count);
  Plain(count);

  const auto scratch = std::filesystem::temp_directory_path() / NewId("ote-links");
  const store::StateFolder folder{scratch};
  const SystemClock clock;
  store::FoundOptions options;
  options.name = "hq";
  options.listen = {"tcp://127.0.0.1:0"};
  Must(store::FoundTree(folder, options, clock.WallNow()));
  std::vector<Joined> members;
  {
    Enroller enroller(folder);
    auto store = Must(store::Store::Open(folder.Database()));
    Must(store.Transaction([&]() -> Result<void> {
      for (int i = 0; i < count; ++i) {
        OTE_TRY(const auto serial, store.NextNumber("serial"));
        members.push_back(enroller.Join(fmt::format("m{:05}", i), "hq", clock.WallNow(), serial + 1));
        OTE_CHECK(store.Put(members.back().record));
      }
      return {};
    }));
  }
  const auto key = Must(folder.TransportKey()).Public();
  // Several processes: what one may have of sockets is less.
  int ready[2];
  if (::pipe(ready) != 0) Die("no pipe");
  std::vector<pid_t> children;
  for (std::size_t from = 0; from < members.size(); from += kInOneProcess) {
    const auto child = ::fork();
    if (child == 0) {
      std::array<char, 64> endpoint{};
      if (::read(ready[0], endpoint.data(), endpoint.size()) <= 0) std::_Exit(1);
      std::vector<Joined> own;
      for (auto i = from; i < std::min(from + kInOneProcess, members.size()); ++i) own.push_back(std::move(members[i]));
      Members(own, {endpoint.data(), key});
    }
    children.push_back(child);
  }
  auto node =
      Must(agent::Node::Open(folder.path, clock, [](const crypto::TransportKey* own, wire::Admission* admission) {
        return wire::MakeZmqTransport(own, admission);
      }));
  node->Step({});
  const auto endpoint = node->membership().listen.front();
  const double resident = Resident();
  const Timed since;
  for (std::size_t i = 0; i < children.size(); ++i) {
    std::array<char, 64> message{};
    std::copy(endpoint.begin(), endpoint.end(), message.begin());
    if (::write(ready[1], message.data(), message.size()) < 0) Die("no pipe");
  }
  Root(*node, members, since, resident);
  for (const auto child : children) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  node.reset();
  std::filesystem::remove_all(scratch);
  return 0;
}
