// bench-link: ote_tree
// What the state of 10,000 clusters costs at one agent above them: memory for each, and changes a second from a source
// through the codec into its mirror.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/codec.h"
#include "core/tree/state_feed.h"

namespace {

using namespace ote;
using tree::StateFeed;

constexpr std::size_t kSources = 10'000;
constexpr int kApps = 5;
constexpr int kEvents = 10;
constexpr std::size_t kPlenty = 1 << 20;

Bytes Value(int n) { return DumpCbor({{"app", "web"}, {"phase", "healthy"}, {"wanted", 3}, {"healthy", 3}, {"n", n}}); }

StateFeed Source(std::size_t i) {
  StateFeed feed(i + 1);
  if (!feed.Set({"shim", ""}, Value(0))) std::abort();
  for (int app = 0; app < kApps; ++app) {
    if (!feed.Set({"app", "app-" + std::to_string(app)}, Value(app))) std::abort();
  }
  for (int event = 0; event < kEvents; ++event) {
    if (!feed.Set({"event", std::to_string(event)}, Value(event))) std::abort();
  }
  feed.TakeUnsaved();
  return feed;
}

// As it travels.
api::StateReport Carried(const api::StateReport& report) { return FromCbor<api::StateReport>(ToCbor(report)).value(); }

void MirrorsOfTenThousand(benchmark::State& state) {
  for (auto _ : state) {
    const auto before = mallinfo2().uordblks;
    std::vector<StateFeed> mirrors(kSources);
    for (std::size_t i = 0; i < kSources; ++i) {
      const auto source = Source(i);
      if (!mirrors[i].Apply(source.Report("a", 0, true, kPlenty), nullptr)) std::abort();
      mirrors[i].TakeUnsaved();
    }
    const auto bytes = mallinfo2().uordblks - before;
    state.counters["bytes/source"] = static_cast<double>(bytes) / kSources;
    state.counters["bytes/thing"] = static_cast<double>(bytes) / kSources / (1 + kApps + kEvents);
  }
}
BENCHMARK(MirrorsOfTenThousand)->Unit(benchmark::kMillisecond)->Iterations(1);

void OneChange(benchmark::State& state) {
  std::vector<StateFeed> sources;
  std::vector<StateFeed> mirrors(kSources);
  for (std::size_t i = 0; i < kSources; ++i) {
    sources.push_back(Source(i));
    if (!mirrors[i].Apply(sources[i].Report("a", 0, true, kPlenty), nullptr)) std::abort();
  }
  int n = 0;
  for (auto _ : state) {
    ++n;
    const auto i = static_cast<std::size_t>(n) * 7919 % kSources;
    if (!sources[i].Set({"app", "app-1"}, Value(1000 + n))) std::abort();
    api::StateReport report;
    report.sources.push_back(sources[i].Report("a", mirrors[i].at(), false, kPlenty));
    const auto taken = Carried(report);
    const auto took = mirrors[i].Apply(taken.sources.front(), nullptr);
    if (!took || *took != StateFeed::Took::kWhole) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(OneChange)->Unit(benchmark::kMicrosecond);

// One thing among many in one source: a change costs O(log n).
void OneOfMany(benchmark::State& state) {
  StateFeed source(1);
  for (int i = 0; i < state.range(0); ++i) {
    if (!source.Set({"app", std::to_string(i)}, Value(i))) std::abort();
  }
  int n = 0;
  for (auto _ : state) {
    ++n;
    if (!source.Set({"app", std::to_string(n % state.range(0))}, Value(-n))) std::abort();
    benchmark::DoNotOptimize(source.Report("a", source.at() - 1, false, kPlenty));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(OneOfMany)->Arg(10)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
