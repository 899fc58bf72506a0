// What is measured, in plain values: families of samples, as Prometheus knows them, before any library sees them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ote::agent {

// Seconds, spread over fixed bounds.
struct Spread {
  static constexpr std::array<double, 13> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                  0.25,  0.5,    1,     2.5,  10,    60};
  std::array<std::uint64_t, kBounds.size() + 1> counts{};  // the last one beyond all bounds
  double sum = 0;

  void Add(double seconds);
  std::uint64_t Count() const;
};

enum class FamilyKind { kGauge, kCounter, kHistogram };
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

struct Family {
  std::string name;
  std::string help;
  FamilyKind kind = FamilyKind::kGauge;
  std::vector<std::pair<MetricLabels, double>> values;   // gauges and counters
  std::vector<std::pair<MetricLabels, Spread>> spreads;  // histograms
};
using Families = std::vector<Family>;

// One without labels.
Family Gauge(std::string name, std::string help, double value);
Family Counter(std::string name, std::string help, double value);

// Of this process: memory, processor time, descriptors, start. What cannot be read is left out.
void AddProcess(Families& out);

}  // namespace ote::agent
