#include "cli/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ote::cli {
namespace {

constexpr std::size_t kLines = 7;  // sites that have a line each

bool Draws(const Series& series) { return !series.points.empty(); }

// The span of the sites' values round by round: from the tenth to the ninetieth of a hundred.
std::pair<Band, Series> SpanOf(const std::map<std::int64_t, std::vector<double>>& rounds, std::size_t sites) {
  Band band{fmt::format("80 % of {} sites", sites), {}};
  Series middle{"their median", {}};
  for (const auto& [round, unsorted] : rounds) {
    std::vector<double> values = unsorted;
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
      return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
    };
    band.points.push_back({static_cast<double>(round), at(0.1), at(0.9)});
    middle.points.emplace_back(round, at(0.5));
  }
  return {std::move(band), std::move(middle)};
}

}  // namespace

Unit UnitOf(const MeasureInfo& measure) { return measure.share ? Unit::kPercent : Unit::kNumber; }

Series CurveOf(const api::Run& run, const MeasureInfo& measure, std::string name) {
  Series series{std::move(name), {}};
  for (const api::Round& round : run.rounds) {
    if (const auto value = measure.Of(round.metrics)) series.points.emplace_back(round.round, *value);
  }
  return series;
}

std::string MeasureChart(const api::Run& run, const MeasureInfo& measure) {
  const std::string name(measure.name);
  Chart chart{name + " on the sites' own held-out rows", "round", name, UnitOf(measure), {}};
  chart.series.push_back(CurveOf(run, measure, "all sites together"));
  std::map<std::string, Series> sites;
  std::map<std::int64_t, std::vector<double>> rounds;
  for (const api::Round& round : run.rounds) {
    // A site measures the model that it is given, which is the one of the round before.
    if (round.round < 2) continue;
    for (const api::RoundSite& site : round.sites) {
      const auto value = measure.Of(site.metrics);
      if (!value || !std::isfinite(*value)) continue;
      auto& series = sites.try_emplace(site.name, Series{site.name, {}}).first->second;
      series.points.emplace_back(round.round - 1, *value);
      rounds[round.round - 1].push_back(*value);
    }
  }
  if (sites.size() <= kLines) {
    for (auto& [site, series] : sites) chart.series.push_back(std::move(series));
  } else {
    auto [band, middle] = SpanOf(rounds, sites.size());
    chart.bands.push_back(std::move(band));
    chart.series.push_back(std::move(middle));
  }
  return RenderSvg(chart);
}

std::string LossChart(const api::Run& run) {
  Chart chart{"Loss", "round", "loss", Unit::kNumber, {}};
  const Series held_out = CurveOf(run, InfoOf(api::Measure::kLoss), "held-out rows");
  Series training{"while training", {}};
  for (const api::Round& round : run.rounds) {
    double sum = 0;
    double weight = 0;
    for (const api::RoundSite& site : round.sites) {
      sum += site.train_loss * static_cast<double>(site.examples);
      weight += static_cast<double>(site.examples);
    }
    // A model of statistics has no loss while training.
    if (weight > 0 && sum != 0) training.points.emplace_back(round.round, sum / weight);
  }
  if (Draws(held_out)) chart.series.push_back(held_out);
  if (Draws(training)) chart.series.push_back(std::move(training));
  return chart.series.empty() ? std::string() : RenderSvg(chart);
}

std::string BytesChart(const api::Run& run) {
  Chart chart{"Bytes", "round", "", Unit::kSize, {{"up, to the root", {}}, {"down, to the sites", {}}}};
  bool any = false;
  for (const api::Round& round : run.rounds) {
    any = any || round.bytes_up > 0 || round.bytes_down > 0;
    chart.series[0].points.emplace_back(round.round, round.bytes_up);
    chart.series[1].points.emplace_back(round.round, round.bytes_down);
  }
  return any ? RenderSvg(chart) : std::string();
}

std::string SecondsChart(const api::Run& run) {
  Chart chart{"Seconds", "round", "", Unit::kSeconds, {{"the whole round", {}}}};
  Series slowest_site{"the slowest site", {}};
  Series making{"making the model", {}};
  bool any = false;
  bool made = false;
  for (const api::Round& round : run.rounds) {
    any = any || round.seconds > 0;
    made = made || round.aggregate_seconds > 0;
    chart.series[0].points.emplace_back(round.round, round.seconds);
    double slowest = 0;
    for (const api::RoundSite& site : round.sites)
      slowest = std::max(slowest, std::max(site.seconds, SumOf(site.phases)));
    if (slowest > 0) slowest_site.points.emplace_back(round.round, slowest);
    making.points.emplace_back(round.round, round.aggregate_seconds);
  }
  if (Draws(slowest_site)) chart.series.push_back(std::move(slowest_site));
  if (made) chart.series.push_back(std::move(making));
  return any ? RenderSvg(chart) : std::string();
}

std::string RateChart(const api::Run& run) {
  Series rate{"learning rate", {}};
  bool varies = false;
  for (const api::Round& round : run.rounds) {
    if (round.learning_rate <= 0) continue;
    varies = varies || (Draws(rate) && round.learning_rate != rate.points.front().second);
    rate.points.emplace_back(round.round, round.learning_rate);
  }
  if (!varies) return {};
  return RenderSvg(Chart{"Learning rate", "round", "", Unit::kNumber, {std::move(rate)}});
}

}  // namespace ote::cli
