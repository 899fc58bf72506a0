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

// What a layer computes for a batch: its outputs, the gradient of its weights, and the slope of its inputs unless those
// are the data.
struct Product {
  std::int64_t rows;
  std::int64_t inputs;
  std::int64_t outputs;
  bool first;
};

std::vector<Product> ProductsOf(const Case& c) {
  std::vector<Product> products;
  for (std::size_t i = 0; i + 1 < c.units.size(); ++i) {
    products.push_back({c.batch, c.units[i], c.units[i + 1], i == 0});
  }
  return products;
}

// Floating-point operations of a batch.
double FlopsOf(const std::vector<Product>& products) {
  double flops = 0;
  for (const Product& p : products) flops += (p.first ? 4.0 : 6.0) * static_cast<double>(p.rows * p.inputs * p.outputs);
  return flops;
}

// The best of several measurements, as for a physical limit.
double YardstickFlops(const std::vector<Product>& products) {
  struct LayerBuffers {
    std::vector<float> x, w, delta, out, gw, dx;
  };
  std::vector<LayerBuffers> layers;
  for (const Product& p : products) {
    layers.push_back({RandomFloats(p.rows * p.inputs, 1), RandomFloats(p.inputs * p.outputs, 2),
                      RandomFloats(p.rows * p.outputs, 3), RandomFloats(p.rows * p.outputs, 4),
                      RandomFloats(p.inputs * p.outputs, 5), RandomFloats(p.rows * p.inputs, 6)});
  }
  double best = 0;
  for (int trial = 0; trial < 15; ++trial) {
    const auto repeats = static_cast<int>(4e8 / FlopsOf(products)) + 1;
    const double start = ThreadSeconds();
    for (int r = 0; r < repeats; ++r) {
      for (std::size_t i = 0; i < layers.size(); ++i) {
        LayerBuffers& b = layers[i];
        const Product& p = products[i];
        ActiveKernels().yardstick(b.x.data(), b.w.data(), b.delta.data(), b.out.data(), b.gw.data(),
                                  p.first ? nullptr : b.dx.data(), p.rows, p.inputs, p.outputs);
        benchmark::ClobberMemory();
      }
    }
    best = std::max(best, repeats * FlopsOf(products) / (ThreadSeconds() - start));
  }
  return best;
}

Table RandomTable(std::int64_t rows, std::int64_t columns, std::int64_t classes) {
  Table table;
  table.rows = rows;
  table.columns = columns;
  table.features = RandomFloats(table.rows * table.columns, 7);
  Random random(8);
  for (std::int64_t i = 0; i < table.rows; ++i) {
    table.targets.push_back(static_cast<float>(random.Below(static_cast<std::uint64_t>(classes))));
  }
  return table;
}

// Trains as often as the benchmark asks, and counts against the products of a batch.
void Measure(benchmark::State& state, const api::ModelSpec& spec, const Table& table, std::int64_t classes,
             const api::TrainSpec& train, const std::vector<Product>& products, const std::string& label) {
  auto model = MakeModel(spec, {table.columns, classes}, api::DataTask::kClassification);
  std::vector<float> parameters = (*model)->Init(1);
  const double yardstick = YardstickFlops(products);
  double seconds = 0;
  for (auto _ : state) {
    const double start = ThreadSeconds();
    auto loss = (*model)->Train(parameters, table, train, {}, 1, {});
    if (!loss) return state.SkipWithError(loss.error().message.c_str());
    seconds += ThreadSeconds() - start;
  }
  const double rows = static_cast<double>(state.iterations() * table.rows) / seconds;
  const double flops = rows * FlopsOf(products) / static_cast<double>(train.batch_size);
  state.SetLabel(std::string(KernelName()) + label + " batch " + std::to_string(train.batch_size));
  state.counters["rows"] = rows;
  state.counters["flops"] = flops;
  state.counters["eigen"] = yardstick;
  state.counters["ratio"] = flops / yardstick;
}

void Train(benchmark::State& state, api::OptimizerKind optimizer) {
  const Case& c = kCases[state.range(0)];
  api::ModelSpec spec;
  spec.kind = c.units.size() > 2 ? api::ModelKind::kMlp : api::ModelKind::kSoftmax;
  spec.hidden.assign(c.units.begin() + 1, c.units.end() - 1);
  api::TrainSpec train;
  train.optimizer = optimizer;
  train.learning_rate = optimizer == api::OptimizerKind::kAdam ? 1e-4 : 1e-3;
  train.batch_size = c.batch;
  std::string label;
  for (const std::int64_t unit : c.units) label += (unit == c.units.front() ? " " : "-") + std::to_string(unit);
  Measure(state, spec, RandomTable(c.rows, c.units.front(), c.units.back()), c.units.back(), train, ProductsOf(c),
          label);
}
void TrainSgd(benchmark::State& state) { Train(state, api::OptimizerKind::kSgd); }
void TrainAdam(benchmark::State& state) { Train(state, api::OptimizerKind::kAdam); }
BENCHMARK(TrainSgd)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);
BENCHMARK(TrainAdam)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

struct ConvCase {
  std::vector<std::int64_t> image;
  std::vector<std::int64_t> filters;
  std::int64_t batch;
  std::int64_t rows;
};
const ConvCase kConvCases[] = {
    {{1, 28, 28}, {16, 32}, 32, 1024},
    {{3, 32, 32}, {32, 64}, 32, 256},
    {{1, 8, 8}, {8}, 16, 4096},
};

// Convolutions count as the products of their filters with unrolled images, without the unrolling.
void TrainCnn(benchmark::State& state) {
  const ConvCase& c = kConvCases[state.range(0)];
  constexpr std::int64_t kClasses = 10;
  api::ModelSpec spec;
  spec.kind = api::ModelKind::kCnn;
  spec.image = c.image;
  spec.filters = c.filters;
  std::vector<Product> products;
  std::int64_t channels = c.image[0];
  std::int64_t height = c.image[1];
  std::int64_t width = c.image[2];
  std::string label = " " + std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
  for (const std::int64_t filters : c.filters) {
    products.push_back(
        {c.batch * height * width, channels * spec.kernel * spec.kernel, filters, channels == c.image[0]});
    channels = filters;
    height /= spec.pool;
    width /= spec.pool;
    label += "-" + std::to_string(filters);
  }
  products.push_back({c.batch, channels * height * width, spec.hidden[0], false});
  products.push_back({c.batch, spec.hidden[0], kClasses, false});
  api::TrainSpec train;
  train.learning_rate = 1e-3;
  train.batch_size = c.batch;
  Measure(state, spec, RandomTable(c.rows, c.image[0] * c.image[1] * c.image[2], kClasses), kClasses, train, products,
          label);
}
BENCHMARK(TrainCnn)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

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
