// bench-link: ote_federate
// Secure aggregation: what a round costs a site and the aggregating node, beside the bare ChaCha20 streams that it
// cannot do without (the floor).
//
// Every message is really made, by every site, and the aggregator takes them all. Only the masked updates are
// shortened: one site masks its update, and the sum has nothing but that in it, since taking masks out costs the same
// whatever the values are. Seconds are the processor's, of one thread; bytes are of the messages' own content, as CBOR.
//
//   build/bench/bin/masks_bench --benchmark_filter=Round/100
#include <benchmark/benchmark.h>

#include <ctime>
#include <map>
#include <random>

#include "core/federate/masks/side.h"
#include "crypto/mask_stream.h"
#include "test/fake/mask_cohort.h"

namespace ote {
namespace {

using K = api::TaskKind;

// Of the processor, in this thread: others on the machine do not count.
double Now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds that `fn` takes.
template <class Fn>
double Seconds(Fn&& fn) {
  const double began = Now();
  fn();
  return Now() - began;
}

// Keys as that many streams need, and nothing done with them.
double Floor(std::size_t streams, std::size_t values) {
  Bytes piece(std::min<std::size_t>(64 << 10, values * 4));
  return Seconds([&] {
    for (std::size_t i = 0; i < streams; ++i) {
      crypto::KeyStream stream(Bytes(32, static_cast<std::uint8_t>(i)));
      for (std::size_t at = 0; at < values * 4; at += piece.size()) stream.Next(piece);
    }
    benchmark::DoNotOptimize(piece.data());
  });
}

void Round(benchmark::State& state) {
  const auto sites = static_cast<std::size_t>(state.range(0));
  const auto values = static_cast<std::size_t>(state.range(1));
  const auto leaving = static_cast<std::size_t>(state.range(2)) * sites / 100;
  fake::MaskCohort cohort(sites, 0);
  const auto all = cohort.All();
  std::vector<std::string> order(all.begin(), all.end());
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  const std::set<std::string> rest(order.begin() + static_cast<std::ptrdiff_t>(leaving), order.end());
  const std::string& watched = order.back();
  double site = 0;
  double root = 0;
  std::size_t up = 0;
  std::size_t down = 0;
  for (auto _ : state) {
    const auto ask = [&](const std::string& name, const api::Task& task) {
      Bytes answer;
      const double took = Seconds([&] { answer = cohort.Answer(name, task); });
      if (name == watched) {
        site += took;
        up += answer.size();
        down += ToCbor(*task.masks).size();
      }
      return answer;
    };
    for (const auto& name : all) cohort.keys[name] = ask(name, cohort.KeysTask());
    root += Seconds([&] {
      cohort.root.emplace(fake::Must(federate::RootMasks::Make(cohort.which, cohort.keys, cohort.authority.Check())));
    });
    auto& masks = *cohort.root;
    std::map<std::string, api::Task> tasks;
    const auto prepare = [&](const std::set<std::string>& names, K kind, auto&& part) {
      root += Seconds([&] {
        tasks.clear();
        for (const auto& name : names) tasks[name] = cohort.Task(kind, part(name));
      });
    };
    prepare(all, K::kMaskShares, [&](const auto& name) { return masks.ForShares(name); });
    for (const auto& [name, task] : tasks) {
      const Bytes deal = ask(name, task);
      root += Seconds([&] { fake::Must(masks.TakeDeal(name, deal)); });
    }
    root += Seconds([&] { masks.Train(masks.Dealt()); });
    prepare(all, K::kTrain, [&](const auto& name) { return masks.ForTraining(name, 0); });
    std::vector<float> update(values, 0.01F);
    std::vector<std::uint32_t> watched_words(values);
    for (const auto& [name, task] : tasks) {
      if (rest.count(name) == 0) continue;
      std::vector<std::uint32_t> words(name == watched ? values : 0);
      const double took = Seconds([&] {
        if (!words.empty()) fake::Must(federate::Quantise(update, {20, 1, 10}, Bytes(32, 1), words));
        fake::Must(federate::MaskWords(task, cohort.sites.at(name).kept, words));
      });
      if (name != watched) continue;
      site += took;
      up += words.size() * 4;
      down += ToCbor(*task.masks).size();
      watched_words = std::move(words);
    }
    federate::MaskedSum sum(values);
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(watched_words.data()), values * 4);
    root += Seconds([&] {
      for (std::size_t i = 0; i < rest.size(); ++i) fake::Must(sum.Fold(bytes, 1));
      masks.Close(rest);
    });
    prepare(rest, K::kMaskConsent, [&](const auto&) { return masks.ForConsent(); });
    for (const auto& [name, task] : tasks) {
      const Bytes consent = ask(name, task);
      root += Seconds([&] { fake::Must(masks.TakeConsent(name, consent)); });
    }
    // One task for all: a thousand of them would be a thousand times the same signatures.
    api::Task unmask;
    root += Seconds([&] { unmask = cohort.Task(K::kMaskUnmask, masks.ForUnmask()); });
    for (const auto& name : rest) {
      const Bytes shares = ask(name, unmask);
      root += Seconds([&] { fake::Must(masks.TakeShares(name, shares)); });
    }
    root += Seconds([&] { fake::Must(masks.Unmask(sum)); });
  }
  const std::size_t group = cohort.root->plan().group;
  // The aggregator's streams: a seed for each that stayed, and for each that left the pairs with those that did.
  std::size_t streams = rest.size();
  if (leaving > 0) streams += leaving * (group - 1) * (sites - leaving) / (sites - 1);
  const double site_floor = Floor(group, values);
  const double sample = std::min<double>(static_cast<double>(streams), 200);
  const double root_floor = Floor(static_cast<std::size_t>(sample), values) * static_cast<double>(streams) / sample;
  state.counters["group"] = static_cast<double>(group);
  state.counters["site_s"] = site;
  state.counters["site_floor_s"] = site_floor;
  state.counters["site_ratio"] = site / site_floor;
  state.counters["site_up"] = static_cast<double>(up);
  state.counters["site_down"] = static_cast<double>(down);
  state.counters["root_s"] = root;
  state.counters["root_floor_s"] = root_floor;
}
BENCHMARK(Round)
    ->ArgNames({"sites", "values", "leaving"})
    ->ArgsProduct({{10, 100, 1000}, {10'000, 1'000'000}, {0, 10, 30}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

// A site's masks alone: all of its streams laid over an update of a million values.
void MaskOne(benchmark::State& state) {
  std::vector<std::uint32_t> words(1'000'000);
  const Bytes key(32, 7);
  for (auto _ : state) crypto::AddMask(key, crypto::MaskSign::kAdd, words);
  state.SetBytesProcessed(state.iterations() * 4'000'000);
}
BENCHMARK(MaskOne);
void StreamOne(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Floor(1, 1'000'000));
  state.SetBytesProcessed(state.iterations() * 4'000'000);
}
BENCHMARK(StreamOne);
void QuantiseOne(benchmark::State& state) {
  std::vector<float> values(1'000'000, 0.01F);
  std::vector<std::uint32_t> words(values.size());
  for (auto _ : state) benchmark::DoNotOptimize(federate::Quantise(values, {20, 1, 10}, Bytes(32, 1), words));
  state.SetBytesProcessed(state.iterations() * 4'000'000);
}
BENCHMARK(QuantiseOne);

}  // namespace
}  // namespace ote
