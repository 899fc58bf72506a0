// The nearest of some centroids as ONNX.
//
// |x - c|^2 is |x|^2 - 2xc + |c|^2, and |x|^2 is the same for all centroids c of a row x: the least of |c|^2 - 2xc, one
// Gemm, is the nearest. Both are taken from the middle of the centroids first, so that float32 loses nothing where the
// data lies far from 0, and divided by a power of two, so that no square is out of its range.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {
namespace {

constexpr int kMostExponent = 120;  // of a factor that float32 holds

}  // namespace

Result<std::string> WriteCentroids(Graph& graph, const Source& source, const std::string& input) {
  const std::span<const float> centroids = source.Values("centroids");
  const auto features = static_cast<std::size_t>(source.shape.features);
  const std::size_t count = centroids.size() / features;
  std::vector<float> middle(features);
  for (std::size_t f = 0; f < features; ++f) {
    double sum = 0;
    for (std::size_t c = 0; c < count; ++c) sum += static_cast<double>(centroids[c * features + f]);
    middle[f] = static_cast<float>(sum / static_cast<double>(count));
  }
  std::vector<double> away(centroids.size());
  double most = 0;
  for (std::size_t i = 0; i < centroids.size(); ++i) {
    away[i] = static_cast<double>(centroids[i]) - static_cast<double>(middle[i % features]);
    most = std::max(most, std::abs(away[i]));
  }
  const float unit = std::ldexp(1.0F, most > 0 ? std::clamp(-std::ilogb(most), -kMostExponent, kMostExponent) : 0);
  std::vector<float> weight(centroids.size());
  std::vector<float> bias(count);
  for (std::size_t c = 0; c < count; ++c) {
    double square = 0;
    for (std::size_t i = c * features; i < (c + 1) * features; ++i) {
      away[i] *= static_cast<double>(unit);
      weight[i] = static_cast<float>(-2 * away[i]);
      square += away[i] * away[i];
    }
    bias[c] = static_cast<float>(square);
  }
  const auto rows = static_cast<std::int64_t>(count);
  std::string at = WriteInput(graph, source, input);
  at = graph.Add("Sub",
                 {at, graph.Constant("centroids.middle", {source.shape.features}, std::span<const float>(middle))});
  at = graph.Add("Mul", {at, graph.Constant("centroids.unit", {}, std::span(&unit, 1))});
  at = graph.Add("Gemm",
                 {at, graph.Constant("centroids.weight", {rows, source.shape.features}, std::span<const float>(weight)),
                  graph.Constant("centroids.bias", {rows}, std::span<const float>(bias))},
                 {{"transB", std::int64_t{1}}});
  // Of two that are as near the first.
  at = graph.Add("ArgMin", {at}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{1}}});
  return graph.Add("Cast", {at}, {{"to", std::int64_t{1}}});  // 1: float32
}

}  // namespace ote::learn::onnx
