// What noise costs: Rényi differential privacy of the Gaussian mechanism, its composition, and ε for a δ.
//
// The unit is a site. Two runs are neighbours when one site's contribution is nothing in one of them (zero-out): sums
// differ by at most the clipping norm, and `noise` below is the standard deviation of the noise divided by that norm.
// The same bounds hold for the continuous and for the discrete Gaussian on a grid of any dimension, since the clipped
// contributions lie on the grid (Canonne, Kamath and Steinke 2020, theorem 4; for the sampled one: the moments of
// Mironov, Talwar and Zhang 2019, section 3.3, are sums over shifts of the grid by whole numbers, which are exact).
//
// Pure. Costs are kept by order and added; turning them into ε at the end is what keeps many rounds cheap.
#pragma once

#include <span>
#include <vector>

namespace ote::federate {

// The orders α at which costs are kept, ascending, all above 1. A list that is kept on disk carries its own.
std::span<const double> RdpOrders() noexcept;

// ε(α) for each of RdpOrders().
class RdpCurve {
 public:
  RdpCurve() : at_(RdpOrders().size(), 0.0) {}
  explicit RdpCurve(std::vector<double> at) : at_(std::move(at)) {}
  // From costs at other orders: each order is given the cost at the next greater one, which is no less (Rényi's
  // divergence grows with its order); infinite beyond the last.
  static RdpCurve From(std::span<const double> orders, std::span<const double> costs);

  std::span<const double> At() const noexcept { return at_; }
  // Composition.
  RdpCurve& operator+=(const RdpCurve& other);
  RdpCurve Times(double rounds) const;
  bool Nothing() const noexcept;

 private:
  std::vector<double> at_;
};

// One release of a sum with noise > 0: α / (2·noise²) (Mironov 2017, proposition 7).
RdpCurve GaussianCost(double noise);
// The same when the site is in the sum with probability `fraction`, by a draw of its own (Poisson) that nobody learns.
// Mironov, Talwar and Zhang 2019: exact at whole orders; between them the moments are interpolated, which is an upper
// bound since their logarithm is convex.
RdpCurve SampledGaussianCost(double fraction, double noise);

// The least ε at which the cost is (ε, δ)-differentially private by these orders (Canonne, Kamath and Steinke 2020,
// proposition 12; Balle et al. 2020). Infinite when no order has a finite cost; 0 for no cost. 0 < δ < 1.
double EpsilonOf(const RdpCurve& cost, double delta);

// With adaptive clipping a part of the noise hides how many updates the norm left alone. The noise of the sum, such
// that both together cost what `noise` alone would (Andrew, Thakkar, McMahan and Ramaswamy 2021, theorem 1); 0 when the
// count has so little noise that nothing is left: 2·count_noise <= noise.
double NoiseBesideCount(double noise, double count_noise);

}  // namespace ote::federate
