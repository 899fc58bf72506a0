#include "core/federate/privacy/accountant.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace ote::federate {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Small orders serve great ε, and great orders small ones.
std::vector<double> MakeOrders() {
  std::vector<double> orders = {1.1};
  for (double order = 1.25; order < 8; order += 0.25) orders.push_back(order);
  for (int order = 8; order <= 64; ++order) orders.push_back(order);
  for (const int order : {72, 80, 96, 112, 128, 160, 192, 256, 320, 384, 512, 768, 1024, 2048, 4096, 8192, 16384}) {
    orders.push_back(order);
  }
  return orders;
}

double LogAdd(double a, double b) {
  const double high = std::max(a, b);
  return high == -kInfinite ? high : high + std::log1p(std::exp(std::min(a, b) - high));
}

double LogChoose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

// The logarithm of the moment of whole order: sum over k of C(α, k)·(1-q)^(α-k)·q^k·exp(k(k-1) / 2z²).
double LogMoment(double order, double fraction, double noise) {
  double sum = -kInfinite;
  for (double k = 0; k <= order; ++k) {
    const double term = LogChoose(order, k) + k * std::log(fraction) + (order - k) * std::log1p(-fraction) +
                        k * (k - 1) / (2 * noise * noise);
    sum = LogAdd(sum, term);
  }
  return std::max(sum, 0.0);
}

}  // namespace

std::span<const double> RdpOrders() noexcept {
  static const std::vector<double> orders = MakeOrders();
  return orders;
}

RdpCurve RdpCurve::From(std::span<const double> orders, std::span<const double> costs) {
  RdpCurve out;
  for (std::size_t i = 0; i < out.at_.size(); ++i) {
    const auto it = std::lower_bound(orders.begin(), orders.end(), RdpOrders()[i]);
    const auto place = static_cast<std::size_t>(it - orders.begin());
    out.at_[i] = place < std::min(orders.size(), costs.size()) ? costs[place] : kInfinite;
  }
  return out;
}

RdpCurve& RdpCurve::operator+=(const RdpCurve& other) {
  assert(at_.size() == other.at_.size());
  for (std::size_t i = 0; i < at_.size(); ++i) at_[i] += other.at_[i];
  return *this;
}

RdpCurve RdpCurve::Times(double rounds) const {
  RdpCurve out = *this;
  for (double& cost : out.at_) cost = rounds == 0 ? 0 : cost * rounds;
  return out;
}

bool RdpCurve::Nothing() const noexcept {
  return std::all_of(at_.begin(), at_.end(), [](double cost) { return cost <= 0; });
}

RdpCurve GaussianCost(double noise) {
  std::vector<double> at;
  for (const double order : RdpOrders()) at.push_back(noise > 0 ? order / (2 * noise * noise) : kInfinite);
  return RdpCurve(std::move(at));
}

RdpCurve SampledGaussianCost(double fraction, double noise) {
  if (fraction >= 1 || !(noise > 0)) return GaussianCost(noise);
  if (!(fraction > 0)) return {};
  std::vector<double> at;
  for (const double order : RdpOrders()) {
    const double below = std::floor(order);
    double moment = below <= 1 ? 0 : LogMoment(below, fraction, noise);
    if (order > below) moment += (order - below) * (LogMoment(below + 1, fraction, noise) - moment);
    // Never more than without sampling, which the interpolation might say.
    at.push_back(std::min(moment / (order - 1), order / (2 * noise * noise)));
  }
  return RdpCurve(std::move(at));
}

double EpsilonOf(const RdpCurve& cost, double delta) {
  if (cost.Nothing()) return 0;
  double least = kInfinite;
  for (std::size_t i = 0; i < cost.At().size(); ++i) {
    const double order = RdpOrders()[i];
    const double epsilon = cost.At()[i] + std::log1p(-1 / order) - (std::log(delta) + std::log(order)) / (order - 1);
    if (std::isfinite(epsilon)) least = std::min(least, epsilon);
  }
  return std::max(least, 0.0);
}

double NoiseBesideCount(double noise, double count_noise) {
  const double left = 1 / (noise * noise) - 1 / (4 * count_noise * count_noise);
  return count_noise > 0 && left > 0 ? 1 / std::sqrt(left) : 0;
}

}  // namespace ote::federate
