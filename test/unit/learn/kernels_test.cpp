// Every kernel that this CPU runs against a naive reference in double. Tolerance: 2^-20 of the sum of the magnitudes
// that were added, which covers the rounding of sums of up to some thousand terms.
#include "core/learn/kernels.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <memory>

#include "core/learn/model.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;

namespace {

constexpr double kTolerance = 1.0 / (1 << 20);

struct Aligned {
  explicit Aligned(std::size_t floats)
      : data(static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 63) / 64 * 64))) {}
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  float* data;
};

struct Extents {
  std::int64_t rows, inputs, outputs;
};
const Extents kExtents[] = {{1, 1, 1},    {1, 7, 3},     {3, 1, 2},       {5, 4, 1},     {32, 64, 128}, {31, 63, 10},
                            {17, 129, 5}, {64, 784, 33}, {128, 300, 257}, {2, 1000, 16}, {256, 30, 2}};

// Checks got[i] against the sum of terms(i, add).
void CheckSums(const std::vector<float>& got,
               const std::function<void(std::size_t, std::function<void(double)>)>& terms) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    double sum = 0;
    double magnitude = 0;
    terms(i, [&](double term) {
      sum += term;
      magnitude += std::abs(term);
    });
    if (std::abs(static_cast<double>(got[i]) - sum) > kTolerance * magnitude + 1e-30) {
      INFO("element " << i << " of " << got.size());
      REQUIRE(static_cast<double>(got[i]) == Approx(sum));
    }
  }
}

double At(const std::vector<float>& values, std::int64_t i) {
  return static_cast<double>(values[static_cast<std::size_t>(i)]);
}

}  // namespace

TEST_CASE("the products of a layer agree with naive sums for every kernel and extent") {
  for (const Kernels* kernels : RunnableKernels()) {
    for (const Extents& e : kExtents) {
      INFO(kernels->name << " " << e.rows << "x" << e.inputs << "x" << e.outputs);
      const auto x = Noise(e.rows * e.inputs, 1);
      const auto w = Noise(e.outputs * e.inputs, 2);
      const auto bias = Noise(e.outputs, 3);
      const auto delta = Noise(e.rows * e.outputs, 4);
      const auto gw_before = Noise(e.outputs * e.inputs, 5);
      const auto gb_before = Noise(e.outputs, 6);
      const Aligned scratch(kernels->scratch(e.rows, e.outputs, e.inputs));

      std::vector<float> out(delta.size(), NAN);
      kernels->affine(x.data(), w.data(), bias.data(), out.data(), e.rows, e.inputs, e.outputs, scratch.data);
      CheckSums(out, [&](std::size_t at, auto add) {
        const auto r = static_cast<std::int64_t>(at) / e.outputs;
        const auto o = static_cast<std::int64_t>(at) % e.outputs;
        add(At(bias, o));
        for (std::int64_t i = 0; i < e.inputs; ++i) add(At(x, r * e.inputs + i) * At(w, o * e.inputs + i));
      });

      auto gw = gw_before;
      auto gb = gb_before;
      kernels->add_gradient(x.data(), delta.data(), gw.data(), gb.data(), e.rows, e.inputs, e.outputs, scratch.data);
      CheckSums(gw, [&](std::size_t at, auto add) {
        const auto o = static_cast<std::int64_t>(at) / e.inputs;
        const auto i = static_cast<std::int64_t>(at) % e.inputs;
        add(At(gw_before, static_cast<std::int64_t>(at)));
        for (std::int64_t r = 0; r < e.rows; ++r) add(At(delta, r * e.outputs + o) * At(x, r * e.inputs + i));
      });
      CheckSums(gb, [&](std::size_t o, auto add) {
        add(At(gb_before, static_cast<std::int64_t>(o)));
        for (std::int64_t r = 0; r < e.rows; ++r) add(At(delta, r * e.outputs + static_cast<std::int64_t>(o)));
      });

      std::vector<float> dx(x.size(), NAN);
      kernels->back(delta.data(), w.data(), dx.data(), e.rows, e.inputs, e.outputs, scratch.data);
      CheckSums(dx, [&](std::size_t at, auto add) {
        const auto r = static_cast<std::int64_t>(at) / e.inputs;
        const auto i = static_cast<std::int64_t>(at) % e.inputs;
        for (std::int64_t o = 0; o < e.outputs; ++o) add(At(delta, r * e.outputs + o) * At(w, o * e.inputs + i));
      });
    }
  }
}

TEST_CASE("activations and their slopes agree with the standard library to a few units in the last place") {
  for (const Kernels* kernels : RunnableKernels()) {
    INFO(kernels->name);
    const auto z = Noise(1003, 9, 3);
    const auto slope = Noise(1003, 10);
    auto relu = z;
    auto tanh = z;
    auto relu_slope = slope;
    auto tanh_slope = slope;
    kernels->relu(relu.data(), 1003);
    kernels->tanh(tanh.data(), 1003);
    kernels->relu_back(relu_slope.data(), relu.data(), 1003);
    kernels->tanh_back(tanh_slope.data(), tanh.data(), 1003);
    for (std::size_t i = 0; i < z.size(); ++i) {
      CHECK(relu[i] == std::max(z[i], 0.0f));
      CHECK(relu_slope[i] == (z[i] > 0 ? slope[i] : 0.0f));
      CHECK(std::abs(static_cast<double>(tanh[i]) - std::tanh(static_cast<double>(z[i]))) < 5e-7);
      CHECK(static_cast<double>(tanh_slope[i]) ==
            Approx(static_cast<double>(slope[i] * (1 - tanh[i] * tanh[i]))).margin(1e-6));
    }
  }
}

TEST_CASE("a value that is not a number stays one through ReLU") {
  for (const Kernels* kernels : RunnableKernels()) {
    std::vector<float> z(40, NAN);
    kernels->relu(z.data(), 40);
    for (const float value : z) CHECK(std::isnan(value));
  }
}

TEST_CASE("softmax, its loss and its slope hold for logits far from zero") {
  for (const Kernels* kernels : RunnableKernels()) {
    INFO(kernels->name);
    constexpr std::int64_t kRows = 7;
    constexpr std::int64_t kClasses = 5;
    auto z = Noise(kRows * kClasses, 11, 4);
    for (std::int64_t c = 0; c < kClasses; ++c) z[static_cast<std::size_t>(c)] += 1000;  // exp of it overflows
    const std::vector<float> targets = {0, 1, 2, 3, 4, 0, 1};
    auto p = z;
    auto slope = z;
    kernels->softmax(p.data(), kRows, kClasses);
    const double loss = kernels->softmax_loss(slope.data(), targets.data(), kRows, kClasses);
    double want = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
      double sum = 0;
      for (std::int64_t c = 0; c < kClasses; ++c) sum += std::exp(At(z, r * kClasses + c) - At(z, r * kClasses));
      for (std::int64_t c = 0; c < kClasses; ++c) {
        const double share = std::exp(At(z, r * kClasses + c) - At(z, r * kClasses)) / sum;
        const bool hit = static_cast<std::int64_t>(targets[static_cast<std::size_t>(r)]) == c;
        if (hit) want -= std::log(share);
        CHECK(At(p, r * kClasses + c) == Approx(share).epsilon(2e-6).margin(1e-9));
        CHECK(At(slope, r * kClasses + c) == Approx((share - (hit ? 1 : 0)) / kRows).margin(2e-7));
      }
    }
    CHECK(loss == Approx(want).epsilon(1e-6));
  }
}

TEST_CASE("SGD and Adam step as their papers say") {
  for (const Kernels* kernels : RunnableKernels()) {
    INFO(kernels->name);
    constexpr std::int64_t kCount = 2500;  // more than one piece
    const auto w = Noise(kCount, 12);
    const auto g = Noise(kCount, 13);
    auto sgd_w = w;
    auto sgd_v = g;
    kernels->sgd(sgd_w.data(), sgd_v.data(), kCount, 0.1f, 0.9f, 0.01f);
    auto adam_w = w;
    auto adam_g = g;
    auto m = Noise(kCount, 14);
    auto v = Noise(kCount, 15);
    for (float& value : v) value *= value;
    const auto m0 = m;
    const auto v0 = v;
    const AdamStep step{0.02f, 1.5f, 0.9f, 0.999f, 1e-8f};
    kernels->adam(adam_w.data(), adam_g.data(), m.data(), v.data(), kCount, 0.01f, step);
    for (std::int64_t i = 0; i < kCount; ++i) {
      const double next = At(w, i) - 0.1 * At(g, i);
      CHECK(At(sgd_w, i) == Approx(next).margin(1e-6));
      CHECK(At(sgd_v, i) == Approx(0.9 * At(g, i) + 0.01 * next).margin(1e-6));
      const double first = 0.9 * At(m0, i) + 0.1 * At(g, i);
      const double second = 0.999 * At(v0, i) + 0.001 * At(g, i) * At(g, i);
      const double adam = At(w, i) - 0.02 * first / (std::sqrt(1.5 * second) + 1e-8);
      CHECK(At(adam_w, i) == Approx(adam).margin(2e-5));
      CHECK(At(adam_g, i) == Approx(0.01 * At(adam_w, i)).margin(1e-7));
    }
  }
}

TEST_CASE("the elementwise kernels give the same bits at every address") {
  for (const Kernels* kernels : RunnableKernels()) {
    INFO(kernels->name);
    constexpr std::int64_t kCount = 133;
    const auto w = Noise(kCount, 16);
    const auto g = Noise(kCount, 17);
    std::vector<std::vector<float>> results;
    for (std::size_t shift = 0; shift < 9; ++shift) {
      std::vector<float> a(w.size() + 16), b(a), m(a), v(a), z(a);
      std::copy(w.begin(), w.end(), a.begin() + static_cast<std::ptrdiff_t>(shift));
      std::copy(g.begin(), g.end(), b.begin() + static_cast<std::ptrdiff_t>(shift));
      std::copy(w.begin(), w.end(), z.begin() + static_cast<std::ptrdiff_t>(shift));
      const AdamStep step{0.02f, 1.5f, 0.9f, 0.999f, 1e-8f};
      kernels->adam(a.data() + shift, b.data() + shift, m.data() + shift, v.data() + shift, kCount, 0.01f, step);
      kernels->sgd(a.data() + shift, b.data() + shift, kCount, 0.1f, 0.9f, 0.01f);
      kernels->tanh(z.data() + shift, kCount);
      kernels->softmax(z.data() + shift, 19, 7);
      std::vector<float> result(a.begin() + static_cast<std::ptrdiff_t>(shift),
                                a.begin() + static_cast<std::ptrdiff_t>(shift) + kCount);
      result.insert(result.end(), z.begin() + static_cast<std::ptrdiff_t>(shift),
                    z.begin() + static_cast<std::ptrdiff_t>(shift) + kCount);
      results.push_back(result);
    }
    for (const auto& result : results) CHECK(result == results.front());
  }
}

TEST_CASE("a wish for a kernel is met when the CPU can run it, and passed over otherwise") {
  const auto runnable = RunnableKernels();
  REQUIRE_FALSE(runnable.empty());
  CHECK(&ChooseKernels("") == runnable.back());
  CHECK(&ChooseKernels("x86-64-v9") == runnable.back());
  for (const Kernels* kernels : runnable) CHECK(&ChooseKernels(kernels->name) == kernels);
  CHECK_FALSE(KernelName().empty());
}
