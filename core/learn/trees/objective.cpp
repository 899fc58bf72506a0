#include "core/learn/trees/objective.h"

#include <algorithm>
#include <bit>

namespace ote::learn::trees {
namespace {

constexpr double kLeastCurvature = 1e-16;

double Logistic(double margin) noexcept { return 1 / (1 + Exp(-margin)); }

// e to the margins, over their sum.
void Softmax(std::span<const double> margins, std::span<double> out) noexcept {
  const double top = *std::max_element(margins.begin(), margins.end());
  double sum = 0;
  for (std::size_t i = 0; i < margins.size(); ++i) {
    out[i] = Exp(margins[i] - top);
    sum += out[i];
  }
  for (double& value : out) value /= sum;
}

}  // namespace

double Exp(double x) noexcept {
  if (x < -700) return 0;
  x = std::min(x, 700.0);
  constexpr double kLog2E = 1.44269504088896340736;
  // ln 2 in two parts, the first exact when multiplied by a small whole number.
  constexpr double kLn2High = 0x1.62e42feep-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const auto n = static_cast<int>(x * kLog2E + (x < 0 ? -0.5 : 0.5));
  const double r = (x - n * kLn2High) - n * kLn2Low;
  // Taylor's series up to r^13/13!, |r| <= ln 2 / 2: the rest is below 2^-57.
  constexpr double kInverse[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
  double sum = 0;
  for (const double inverse : kInverse) sum = sum * r + inverse;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

void Slopes(const Plan& plan, std::span<const double> margins, float target, double scale, std::span<double> first,
            std::span<double> second) noexcept {
  if (plan.objective == Objective::kSquare) {
    first[0] = (margins[0] - static_cast<double>(target)) / scale;
    second[0] = 1;
    return;
  }
  if (plan.objective == Objective::kLogistic) {
    const double p = Logistic(margins[0]);
    first[0] = p - static_cast<double>(target);
    second[0] = std::max(p * (1 - p), kLeastCurvature);
    return;
  }
  Softmax(margins, first);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double p = first[i];
    first[i] = p - (i == static_cast<std::size_t>(target) ? 1 : 0);
    second[i] = std::max(2 * p * (1 - p), kLeastCurvature);
  }
}

void Outputs(const Plan& plan, std::span<const double> margins, std::span<double> outputs) noexcept {
  if (plan.objective == Objective::kSquare) {
    outputs[0] = margins[0];
  } else if (plan.objective == Objective::kLogistic) {
    outputs[1] = Logistic(margins[0]);
    outputs[0] = Logistic(-margins[0]);
  } else {
    Softmax(margins, outputs);
  }
}

}  // namespace ote::learn::trees
