// bench-link: ote_learn
// Training and reading, each beside what bounds it. `flops` counts the matrix products alone; `ratio` is against
// Eigen's own products of the same sizes, measured just before in the same run and with the same kernel.
#include <benchmark/benchmark.h>

#include <ctime>
#include <string>
#include <vector>

#include "core/learn/data.h"
#include "core/learn/kernels.h"
#include "core/learn/model.h"
#include "core/learn/random.h"

namespace {

using namespace ote;
using namespace ote::learn;

struct Case {
  std::vector<std::int64_t> units;
  std::int64_t batch;
  std::int64_t rows;
};
// Seconds of this thread on a CPU: what others do on the machine meanwhile does not count.
double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

const Case kCases[] = {
    {{64, 128, 10}, 32, 4096},
    {{784, 256, 10}, 64, 4096},
    {{784, 1024, 1024, 10}, 128, 1024},
    {{30, 2}, 32, 4096},
};

std::vector<float> RandomFloats(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.Uniform()) - 0.5f;
  return values;
}

// Floating-point operations of the products for one row.
double RowFlops(const Case& c) {
  double flops = 0;
  for (std::size_t i = 0; i + 1 < c.units.size(); ++i) {
    flops += (i == 0 ? 4.0 : 6.0) * static_cast<double>(c.units[i] * c.units[i + 1]);
  }
  return flops;
}

// The best of several measurements, as for a physical limit.
double YardstickFlops(const Case& c) {
  struct LayerBuffers {
    std::vector<float> x, w, delta, out, gw, dx;
  };
  std::vector<LayerBuffers> layers;
  for (std::size_t i = 0; i + 1 < c.units.size(); ++i) {
    const std::int64_t in = c.units[i];
    const std::int64_t out = c.units[i + 1];
    layers.push_back({RandomFloats(c.batch * in, 1), RandomFloats(in * out, 2), RandomFloats(c.batch * out, 3),
                      RandomFloats(c.batch * out, 4), RandomFloats(in * out, 5), RandomFloats(c.batch * in, 6)});
  }
  double best = 0;
  for (int trial = 0; trial < 15; ++trial) {
    const auto repeats = static_cast<int>(4e8 / (RowFlops(c) * static_cast<double>(c.batch))) + 1;
    const double start = ThreadSeconds();
    for (int r = 0; r < repeats; ++r) {
      for (std::size_t i = 0; i < layers.size(); ++i) {
        LayerBuffers& b = layers[i];
        ActiveKernels().yardstick(b.x.data(), b.w.data(), b.delta.data(), b.out.data(), b.gw.data(),
                                  i == 0 ? nullptr : b.dx.data(), c.batch, c.units[i], c.units[i + 1]);
        benchmark::ClobberMemory();
      }
    }
    best = std::max(best, repeats * RowFlops(c) * static_cast<double>(c.batch) / (ThreadSeconds() - start));
  }
  return best;
}

Table RandomTable(const Case& c) {
  Table table;
  table.rows = c.rows;
  table.columns = c.units.front();
  table.features = RandomFloats(table.rows * table.columns, 7);
  Random random(8);
  for (std::int64_t i = 0; i < table.rows; ++i) {
    table.targets.push_back(static_cast<float>(random.Below(static_cast<std::uint64_t>(c.units.back()))));
  }
  return table;
}

void Train(benchmark::State& state, api::OptimizerKind optimizer) {
  const Case& c = kCases[state.range(0)];
  const Table table = RandomTable(c);
  api::ModelSpec spec;
  spec.kind = c.units.size() > 2 ? api::ModelKind::kMlp : api::ModelKind::kSoftmax;
  spec.hidden.assign(c.units.begin() + 1, c.units.end() - 1);
  api::TrainSpec train;
  train.optimizer = optimizer;
  train.learning_rate = optimizer == api::OptimizerKind::kAdam ? 1e-4 : 1e-3;
  train.batch_size = c.batch;
  auto model = MakeModel(spec, {c.units.front(), c.units.back()}, api::DataTask::kClassification);
  std::vector<float> parameters = (*model)->Init(1);
  const double yardstick = YardstickFlops(c);
  double seconds = 0;
  for (auto _ : state) {
    const double start = ThreadSeconds();
    auto loss = (*model)->Train(parameters, table, train, {}, 1, {});
    if (!loss) return state.SkipWithError(loss.error().message.c_str());
    seconds += ThreadSeconds() - start;
  }
  const double flops = static_cast<double>(state.iterations() * c.rows) * RowFlops(c) / seconds;
  std::string label(KernelName());
  for (const std::int64_t unit : c.units) label += (unit == c.units.front() ? " " : "-") + std::to_string(unit);
  state.SetLabel(label + " batch " + std::to_string(c.batch));
  state.counters["flops"] = flops;
  state.counters["eigen"] = yardstick;
  state.counters["ratio"] = flops / yardstick;
}
void TrainSgd(benchmark::State& state) { Train(state, api::OptimizerKind::kSgd); }
void TrainAdam(benchmark::State& state) { Train(state, api::OptimizerKind::kAdam); }
BENCHMARK(TrainSgd)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);
BENCHMARK(TrainAdam)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

enum Text { kSmallWhole, kSixPlaces, kSeventeenDigits };

// 20 MB of rows, 31 columns.
std::string CsvText(Text kind) {
  Random random(3);
  std::string text = "y";
  for (int c = 0; c < 30; ++c) text += ",x" + std::to_string(c);
  text += '\n';
  while (text.size() < 20'000'000) {
    text += std::to_string(random.Below(10));
    for (int c = 0; c < 30; ++c) {
      char field[40];
      if (kind == kSmallWhole) {
        std::snprintf(field, sizeof field, ",%d", static_cast<int>(random.Below(17)));
      } else {
        std::snprintf(field, sizeof field, kind == kSixPlaces ? ",%.6f" : ",%.17g", 4 * random.Uniform() - 2);
      }
      text += field;
    }
    text += '\n';
  }
  return text;
}

void ReadCsv(benchmark::State& state) {
  const std::string text = CsvText(static_cast<Text>(state.range(0)));
  DataSource source;
  source.label = "y";
  for (auto _ : state) {
    auto table = ParseTable(AsBytes(text), {}, source, "bench.csv");
    if (!table) return state.SkipWithError(table.error().message.c_str());
    benchmark::DoNotOptimize(table->features.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetLabel(state.range(0) == kSmallWhole  ? "whole numbers 0 to 16"
                 : state.range(0) == kSixPlaces ? "six places"
                                                : "seventeen digits");
}
BENCHMARK(ReadCsv)->DenseRange(kSmallWhole, kSeventeenDigits)->Unit(benchmark::kMillisecond);

}  // namespace
