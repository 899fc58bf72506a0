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

// The extents of a convolution that keeps the sides of its images. Images lie in planes, one a channel, with zeros
// around them, so that a filter may reach over the edge; side is odd. MakeConvShape fills in the second half.
struct ConvShape {
  std::int64_t channels = 0;
  std::int64_t filters = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t side = 0;

  std::int64_t row = 0;    // floats from a row to the next: the right margin of one is the left margin of the next
  std::int64_t plane = 0;  // floats from a plane to the next
  std::int64_t start = 0;  // where the first pixel of a plane is
  std::int64_t span = 0;   // floats from there on that hold all pixels, and margins: a multiple of kConvSlack
};
// Floats behind the last plane of a buffer that are read, and must be finite, beside the planes themselves.
constexpr std::int64_t kConvSlack = 16;
// Images among which convolve_gradient adds before it rounds to the gradient.
constexpr std::int64_t kConvBlock = 8;

// What is done to each value z of a plane on the way forward: scale * (z - center) + shift.
struct PlaneForm {
  float center;
  float scale;
  float shift;
};
// On the way back a plane becomes constant + linear * (z - center), and gain times the slope is added at the winners.
struct PlaneSlope {
  float center;
  float constant;
  float linear;
  float gain;
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

  // Scales `count` images, pixels side by side, into the pixels of planes; and takes them out again.
  void (*place)(const float* images, float* planes, std::int64_t count, const ConvShape& shape, float scale);
  void (*take)(const float* planes, float* images, std::int64_t count, const ConvShape& shape);
  // w[filters×channels×side×side] in the order in which convolve reads it; and turned round, for the way back: a
  // convolution of the filters' planes that gives the channels'. Both take as many floats as w.
  void (*pack)(const float* w, float* packed, const ConvShape& shape);
  void (*pack_back)(const float* w, float* packed, const ConvShape& shape);
  // Each of `images` groups of `filters` planes = the convolution of `channels` planes, plus the filter's bias (null
  // for none). Leaves anything in the margins from `start` on.
  void (*convolve)(const float* in, const float* packed, const float* bias, float* out, const ConvShape& shape,
                   std::int64_t images);
  // gw += the gradient of the filters, gb[filters] += the sums of delta's planes, whose margins must be zero.
  void (*convolve_gradient)(const float* in, const float* delta, float* gw, float* gb, const ConvShape& shape,
                            std::int64_t images);
  // Mean and variance of each of `count` runs of `planes` planes, pixels only: mask[span] is 1 there and 0 in margins.
  void (*moments)(const float* z, const float* mask, float* means, float* variances, std::int64_t count,
                  std::int64_t planes, const ConvShape& shape);
  // The greatest value of each square of `side` pixels of `count` planes, brought into form, and where it was in its
  // plane. Rows and columns that do not fill a square are left out. Squares lie side by side in `out` and `winners`.
  void (*pool)(const float* z, const PlaneForm* forms, float* out, std::int32_t* winners, std::int64_t count,
               std::int64_t side, const ConvShape& shape);
  // For each of `count` planes with `size` squares: the sum of its slopes, and of slope * (z - center) at the winners.
  void (*pool_sums)(const float* slope, const std::int32_t* winners, const float* z, const float* centers, float* sums,
                    float* products, std::int64_t count, std::int64_t size, const ConvShape& shape);
  // Turns each plane of z into its slope (see PlaneSlope), with zeros in the margins.
  void (*pool_back)(const float* slope, const std::int32_t* winners, const float* mask, const PlaneSlope* slopes,
                    float* z, std::int64_t count, std::int64_t size, const ConvShape& shape);

  // out[i] = x[i] * scale, or 0 for the part threshold / 2^32 of them that `key` decides on.
  void (*dropout)(const float* x, float* out, std::int64_t n, std::uint64_t key, std::uint32_t threshold, float scale);

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
