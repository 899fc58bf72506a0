// The inner loops, compiled several times in one binary, once for each level of the CPU.
//
// All matrices are dense and row-major. No function allocates, throws or keeps state; any thread. The blocking does not
// depend on the machine's caches, so the same kernel gives the same bits on every CPU that runs it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ote::learn {

struct AdamStep {
  float rate;         // learning rate divided by 1 - beta1^t
  float second_bias;  // 1 / (1 - beta2^t)
  float beta1;
  float beta2;
  float epsilon;
};

struct Kernels {
  const char* name;

  // Floats of scratch, 64-byte aligned, that products with these extents or smaller ones need (m, n, k in any role).
  std::size_t (*scratch)(std::int64_t m, std::int64_t n, std::int64_t k);
  // out[rows×outputs] = x[rows×inputs] · w[outputs×inputs]ᵀ + bias[outputs] in every row.
  void (*affine)(const float* x, const float* w, const float* bias, float* out, std::int64_t rows, std::int64_t inputs,
                 std::int64_t outputs, float* scratch);
  // gw[outputs×inputs] += delta[rows×outputs]ᵀ · x[rows×inputs]; gb[outputs] += the column sums of delta.
  void (*add_gradient)(const float* x, const float* delta, float* gw, float* gb, std::int64_t rows, std::int64_t inputs,
                       std::int64_t outputs, float* scratch);
  // dx[rows×inputs] = delta[rows×outputs] · w[outputs×inputs].
  void (*back)(const float* delta, const float* w, float* dx, std::int64_t rows, std::int64_t inputs,
               std::int64_t outputs, float* scratch);

  // In place over n values; the back versions multiply `delta` by the derivative, told from the activation's output.
  void (*relu)(float* z, std::int64_t n);
  void (*relu_back)(float* delta, const float* out, std::int64_t n);
  void (*tanh)(float* z, std::int64_t n);
  void (*tanh_back)(float* delta, const float* out, std::int64_t n);

  // Turns each row of logits into probabilities.
  void (*softmax)(float* z, std::int64_t rows, std::int64_t classes);
  // Logits to (probability - one-hot target) / rows, in place. Returns the sum over the rows of the cross-entropy.
  double (*softmax_loss)(float* z, const float* targets, std::int64_t rows, std::int64_t classes);
  // Values to 2·(value - target) / rows, in place. Returns the sum of the squared errors.
  double (*square_loss)(float* z, const float* targets, std::int64_t rows);

  // w -= rate·v, then v = momentum·v + l2·w: v is left ready to have the next gradient added to it.
  void (*sgd)(float* w, float* v, std::int64_t n, float rate, float momentum, float l2);
  // One step of Adam from the gradient g, then g = l2·w: ready for the next one.
  void (*adam)(float* w, float* g, float* m, float* v, std::int64_t n, float l2, const AdamStep& step);

  // out[n×columns] = scale · rows index[0..n) of x.
  void (*gather)(const float* x, const std::uint32_t* index, float* out, std::int64_t n, std::int64_t columns,
                 float scale);

  // The yardstick of the benchmark: the three products of a layer as users of Eigen write them. No data gradient when
  // dx is null.
  void (*yardstick)(const float* x, const float* w, const float* delta, float* out, float* gw, float* dx,
                    std::int64_t rows, std::int64_t inputs, std::int64_t outputs);
};

// The kernels in use (see KernelName). Chosen once.
const Kernels& ActiveKernels() noexcept;
// All that this CPU can run, the least first: never empty. For tests and benchmarks.
std::vector<const Kernels*> RunnableKernels();
// What a wish (OTE_KERNEL; empty for none) gives: the best runnable kernel that is not above it. An unknown wish is
// none.
const Kernels& ChooseKernels(std::string_view wish);

}  // namespace ote::learn
