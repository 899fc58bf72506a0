// bench-link: ote_federate
//
// The exact sum against the plainest sum there is over the same memory: y[i] += a · x[i], with y as wide as the
// accumulator (double) and as wide as the update (float). Bytes are those of the update, read once; the ratio of two
// bytes_per_second of the same size is the figure of the README.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // -O2 of GCC 12 does not vectorise loops of unknown length
#endif
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "core/federate/accumulator.h"

namespace {

std::vector<float> Update(std::size_t count) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> draw(-1.0F, 1.0F);
  std::vector<float> out(count);
  for (float& value : out) value = draw(random);
  return out;
}

void CountBytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(sizeof(float)));
}

// The whole capacity in a few updates: the wider of the two loops, as with ten sites.
void Fold(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<float> update = Update(count);
  ote::federate::Accumulator sum(count, *ote::federate::ChooseGrid(1000));
  std::int64_t folded = 0;
  for (auto _ : state) {
    if (folded == 10) {
      state.PauseTiming();
      sum.Clear();
      folded = 0;
      state.ResumeTiming();
    }
    if (!sum.Fold(update, 100)) std::abort();
    ++folded;
    benchmark::ClobberMemory();
  }
  CountBytes(state);
}

// Small weights in a large capacity, as with ten thousand sites: the narrow loop.
void FoldMany(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<float> update = Update(count);
  ote::federate::Accumulator sum(count, *ote::federate::ChooseGrid(std::int64_t{1} << 30));
  for (auto _ : state) {
    if (!sum.Fold(update, 100)) std::abort();
    benchmark::ClobberMemory();
  }
  CountBytes(state);
}

// Vectorised as the fold is, for the best instruction set of the machine.
#if defined(__x86_64__)
#define OTE_CLONES __attribute__((noinline, target_clones("avx512f", "avx2", "default")))
#else
#define OTE_CLONES __attribute__((noinline))
#endif
OTE_CLONES void Axpy(double* __restrict y, const float* __restrict x, double a, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] += a * static_cast<double>(x[i]);
}
OTE_CLONES void Axpy(float* __restrict y, const float* __restrict x, float a, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] += a * x[i];
}
#undef OTE_CLONES

template <class T>
void PlainAxpy(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<float> update = Update(count);
  std::vector<T> sum(count);
  for (auto _ : state) {
    Axpy(sum.data(), update.data(), T{100}, count);
    benchmark::ClobberMemory();
  }
  CountBytes(state);
}

BENCHMARK(Fold)->Arg(1'000'000)->Arg(25'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(FoldMany)->Arg(1'000'000)->Arg(25'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(PlainAxpy<double>)->Arg(1'000'000)->Arg(25'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(PlainAxpy<float>)->Arg(1'000'000)->Arg(25'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
