// bench-link: ote_agent_lib
// Ten thousand clusters in three tiers in one process: what each costs the root in memory, and how long it takes to
// tell all of them something, and to find another way when a relay is lost. Every message goes through the real codec;
// there are no sockets, and time is a clock that is told to go on.
//
//   tree_bench [RELAYS [LEAVES_EACH]]     100 and 99 when left out
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/base/log.h"
#include "core/tree/state_feed.h"
#include "test/fake/big_tree.h"

namespace {

using namespace ote;
using namespace ote::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kApps = 5;
constexpr int kEvents = 10;

void Row(const std::string& what, const std::string& value) {
  fmt::print("{:<66} {:>16}\n", what, value);
  std::fflush(stdout);
}
void Require(bool held, const char* what) {
  if (held) return;
  fmt::print(stderr, "tree_bench: not so: {}\n", what);
  std::exit(1);
}

struct Memory {
  double resident = 0;
  double live = 0;
};
Memory MemoryNow() {
  ::malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  Memory memory;
  statm >> size >> memory.resident;
  memory.resident *= static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto heap = ::mallinfo2();
  memory.live = static_cast<double>(heap.uordblks + heap.hblkhd);
  return memory;
}
void MemoryRow(const std::string& what, const Memory& from, int members) {
  const auto now = MemoryNow();
  Row("  " + what,
      fmt::format("{:.0f} / {:.0f} B", (now.resident - from.resident) / members, (now.live - from.live) / members));
}

Bytes Value(int n) { return DumpCbor({{"app", "web"}, {"phase", "healthy"}, {"wanted", 3}, {"healthy", 3}, {"n", n}}); }

api::SourceReport StateOf(const std::string& cluster, std::uint64_t epoch) {
  tree::StateFeed feed(epoch);
  (void)feed.Set({"shim", ""}, Value(0));
  for (int i = 0; i < kApps; ++i) (void)feed.Set({"app", "app-" + std::to_string(i)}, Value(i));
  for (int i = 0; i < kEvents; ++i) (void)feed.Set({"event", std::to_string(i)}, Value(i));
  return feed.Report(cluster, 0, true, 1 << 20);
}

// A root alone. Those below it are lines over which its relays say what relays say.
void MemoryAtRoot(int relays, int each) {
  const int members = relays * (each + 1);
  Tree tree;
  tree.Pass(seconds(10));
  const auto empty = MemoryNow();
  tree.StopNode("hq");
  struct Below {
    std::string name;
    crypto::TransportKey key;
    std::vector<api::RouteEntry> leaves;
  };
  std::vector<Below> all;
  {
    Enroller enroller(tree.Folder("hq"));
    auto store = Must(store::Store::Open(tree.Folder("hq").Database()));
    Must(store.Transaction([&]() -> Result<void> {
      const auto join = [&](const std::string& name, const std::string& parent) {
        auto joined = enroller.Join(name, parent, tree.clock.WallNow(), Must(store.NextNumber("serial")) + 1);
        Must(store.Put(joined.record));
        return joined;
      };
      for (int i = 0; i < relays; ++i) {
        const auto relay = fmt::format("r{:03}", i);
        all.push_back({relay, join(relay, "hq").key, {}});
        for (int n = 0; n < each; ++n) join(fmt::format("{}-{:03}", relay, n), relay);
      }
      return {};
    }));
  }
  tree.StartNode("hq");
  MemoryRow("records of those that have joined", empty, members);
  std::vector<wire::Client> lines;
  const wire::Target root{Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()};
  const auto patience = seconds(60);
  for (auto& relay : all) {
    lines.push_back(tree.OpenClient(root, relay.key));
    api::MemberHello hello;
    hello.now = tree.clock.WallNow();
    hello.epoch = 1;
    hello.endpoints = {"tcp://" + relay.name + ":7440"};
    Must(lines.back().Ask<api::MemberWelcome>(api::verb::kMemberHello, hello, patience));
    api::RouteChange change;
    change.whole = true;
    for (int n = 0; n < each; ++n) {
      api::RouteEntry entry;
      entry.cluster = *tree.Node("hq").members().Find(fmt::format("{}-{:03}", relay.name, n));
      entry.cluster.status = api::ClusterStatus::kReady;
      entry.cluster.via = relay.name;
      entry.cluster.version = "fake";
      entry.epoch = 1;
      change.set.push_back(std::move(entry));
    }
    Must(lines.back().Ask<api::Empty>(api::verb::kTreeRoutes, change, patience));
  }
  tree.Settle();
  MemoryRow("the same, all connected", empty, members);
  std::uint64_t epoch = 1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    api::StateReport report;
    for (int n = 0; n < each; ++n) report.sources.push_back(StateOf(fmt::format("{}-{:03}", all[i].name, n), ++epoch));
    const auto ack = Must(lines[i].Ask<api::StateAck>(api::verb::kStateReport, report, patience));
    for (const auto& source : ack.sources) Require(!source.refused && !source.want_full, "a report is taken");
  }
  MemoryRow(fmt::format("the same, each with {} apps and {} events", kApps, kEvents), empty, members);
  std::size_t ready = 0;
  for (const auto& cluster : tree.Node("hq").members().List())
    ready += cluster.status == api::ClusterStatus::kReady ? 1 : 0;
  Require(ready == static_cast<std::size_t>(members) + 1, "all are ready");
}

class Watch {
 public:
  explicit Watch(BigTree& big) : big_(big) { Again(); }
  void Again() {
    cpu_ = BigTree::ThreadCpu();
    root_ = big_.RootCpu();
    fake_ = big_.tree.clock.SteadyNow();
  }
  void Print(const std::string& what) {
    const auto in_seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
    fmt::print("{:<66} {:>9.2f} {:>10.2f} {:>10.2f}\n", what, in_seconds(big_.tree.clock.SteadyNow() - fake_),
               in_seconds(BigTree::ThreadCpu() - cpu_), in_seconds(big_.RootCpu() - root_));
    std::fflush(stdout);
    Again();
  }

 private:
  BigTree& big_;
  std::chrono::nanoseconds cpu_{};
  std::chrono::nanoseconds root_{};
  milliseconds fake_{};
};

void Deliver(BigTree& big, Watch& watch, std::size_t body) {
  agent::CommandBus::Order order;
  order.verb = "test.run";
  order.body = {{"text", std::string(body, 'x')}};
  watch.Again();
  const auto id = Must(big.Root().commands().Issue(order, big.LeafNames()));
  watch.Print(fmt::format("a command of {} B for all is written at the root", body));
  const auto executed = [&] {
    for (const auto& leaf : big.leaves) {
      if (!leaf->executed().contains(id)) return false;
    }
    return true;
  };
  const auto over = [&] {
    for (const auto& outcome : big.Root().commands().OutcomesOf(id)) {
      if (outcome.phase != api::CommandPhase::kDone) return false;
    }
    return true;
  };
  Require(big.Until([&] { return executed() && over(); }, seconds(120)).has_value(), "all have done the command");
  watch.Print("  and delivered to all, and done, and known at the root to be");
  for (const auto& leaf : big.leaves) Require(leaf->executed().at(id) == 1, "each did it once");
}

void Lose(BigTree& big, Watch& watch, const std::string& relay, bool kill) {
  watch.Again();
  kill ? big.Kill(relay) : big.Freeze(relay);
  std::vector<std::string> orphans;
  for (const auto& leaf : big.leaves) {
    if (leaf->Home() == relay) orphans.push_back(leaf->name());
  }
  const auto moved = [&] {
    for (const auto& name : orphans) {
      const auto shown = big.Root().members().Find(name);
      if (!shown || shown->status != api::ClusterStatus::kReady || shown->via == relay) return false;
    }
    return true;
  };
  Require(big.Until(moved, big.Heartbeat() * 10, milliseconds(100)).has_value(), "the children are elsewhere");
  watch.Print(fmt::format("a relay with {} children {}: all of them ready elsewhere", orphans.size(),
                          kill ? "is killed" : "falls silent"));
  Require(big.Until([&] { return !big.Root().members().Ready(relay); }, big.Heartbeat() * 10).has_value(),
          "the relay is seen to be lost");
  watch.Print("  and the relay itself shown as lost");
  for (const auto& leaf : big.leaves) {
    const auto shown = big.Root().members().Find(leaf->name());
    Require(shown && (shown->status == api::ClusterStatus::kReady) == !leaf->Parent().empty() &&
                (leaf->Parent().empty() || shown->via == leaf->Parent()),
            "what the root shows is so");
  }
}

void TimeInTree(int relays, int each) {
  fmt::print("\n{:<66} {:>9} {:>10} {:>10}\n", "", "tree's s", "CPU s all", "CPU s root");
  BigTree big(relays, each);
  Watch watch(big);
  const auto all = static_cast<std::size_t>(1 + relays * (each + 1));
  Require(big.Until([&] { return big.ReadyAtRoot() == all; }, seconds(60)).has_value(), "all are ready");
  watch.Print(fmt::format("all {} start at the same time, until the root shows them ready", all));
  big.Pass(big.Heartbeat() * 4, seconds(1));
  watch.Print("four heartbeats after that");
  big.Pass(big.Heartbeat() * 4, seconds(1));
  watch.Print("four heartbeats of everybody, nothing else");
  Deliver(big, watch, 16);
  Deliver(big, watch, 1'024);
  Lose(big, watch, big.relays().at(big.relays().size() / 2), true);
  Lose(big, watch, big.relays().at(big.relays().size() / 3), false);
  Deliver(big, watch, 16);
}

}  // namespace

int main(int argc, char** argv) {
  const int relays = argc > 1 ? std::atoi(argv[1]) : 100;
  const int each = argc > 2 ? std::atoi(argv[2]) : 99;
  if (relays < 3 || each < 1) return 2;
  log::Configure(log::Level::kError, log::Format::kText);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  fmt::print("{} relays, {} leaves each: {} clusters below the root\n\n", relays, each, relays * (each + 1));
  std::fflush(stdout);
  // In a process of its own, so that nobody else's memory is in it.
  const auto child = ::fork();
  if (child == 0) {
    Row("memory at the root, for each below it", "resident / live");
    MemoryAtRoot(relays, each);
    std::fflush(stdout);
    std::_Exit(0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) return 1;
  TimeInTree(relays, each);
  return 0;
}
