#include "cli/report/tally.h"

#include <algorithm>
#include <map>

namespace ote::cli {

const std::vector<MeasureInfo>& AllMeasures() {
  static const std::vector<MeasureInfo> all = {
      {api::Measure::kAccuracy, "accuracy", true, true, &api::Metrics::accuracy},
      {api::Measure::kAuc, "auc", false, true, &api::Metrics::auc},
      {api::Measure::kRmse, "rmse", false, false, &api::Metrics::rmse},
      {api::Measure::kLoss, "loss", false, false, &api::Metrics::loss}};
  return all;
}

const MeasureInfo& InfoOf(api::Measure measure) {
  const auto& all = AllMeasures();
  return *std::find_if(all.begin(), all.end(), [&](const MeasureInfo& info) { return info.kind == measure; });
}

const MeasureInfo& MainMeasure(const api::Run& run) {
  for (const MeasureInfo& info : AllMeasures()) {
    if (info.Of(run.metrics)) return info;
    for (const api::Round& round : run.rounds) {
      if (info.Of(round.metrics)) return info;
    }
  }
  // Nothing was measured: what would have been.
  switch (run.spec.task) {
    case api::DataTask::kClassification:
      return InfoOf(api::Measure::kAccuracy);
    case api::DataTask::kRegression:
      return InfoOf(api::Measure::kRmse);
    case api::DataTask::kClustering:
      break;
  }
  return InfoOf(api::Measure::kLoss);
}

std::optional<Best> BestOf(const api::Run& run, const MeasureInfo& measure) {
  std::optional<Best> best;
  for (const api::Round& round : run.rounds) {
    const auto value = measure.Of(round.metrics);
    if (value && (!best || measure.Better(*value, best->value))) best = Best{round.round, *value};
  }
  return best;
}

double SumOf(const api::Phases& phases) noexcept {
  return phases.wait + phases.fetch + phases.prepare + phases.measure + phases.train;
}

bool Measured(const api::Metrics& m) noexcept { return m.loss || m.accuracy || m.auc || m.rmse; }

std::vector<SiteTally> TallySites(const api::Run& run) {
  std::map<std::string, SiteTally> sites;
  const auto of = [&](const std::string& name) -> SiteTally& {
    auto& tally = sites[name];
    tally.name = name;
    return tally;
  };
  for (const api::Round& round : run.rounds) {
    for (const std::string& name : round.participants) ++of(name).took_part;
    for (const std::string& name : LateSites(round)) ++of(name).left_out;
    for (const api::SiteFailure& failure : round.failed) ++of(failure.name).failed;
    for (const api::RoundSite& site : round.sites) {
      SiteTally& tally = of(site.name);
      tally.examples = site.examples;
      if (Measured(site.metrics)) tally.metrics = site.metrics;
      if (Measured(site.personal)) tally.personal = site.personal;
      tally.phases.wait += site.phases.wait;
      tally.phases.fetch += site.phases.fetch;
      tally.phases.prepare += site.phases.prepare;
      tally.phases.measure += site.phases.measure;
      tally.phases.train += site.phases.train;
      tally.seconds += site.seconds;
      tally.bytes_up += site.bytes_up;
      tally.bytes_down += site.bytes_down;
      tally.staleness = std::max(tally.staleness, site.staleness);
      if (!site.trainer.empty()) tally.trainer = site.trainer;
    }
  }
  std::vector<SiteTally> all;
  all.reserve(sites.size());
  for (auto& [name, tally] : sites) all.push_back(std::move(tally));
  return all;
}

bool SameCause(const api::SiteFailure& a, const api::SiteFailure& b) noexcept {
  return a.name == b.name && a.phase == b.phase && a.code == b.code && (!a.code.empty() || a.message == b.message);
}

std::vector<FailureTally> TallyFailures(const api::Run& run) {
  std::map<std::string, std::vector<FailureTally>> sites;
  for (const api::Round& round : run.rounds) {
    for (const api::SiteFailure& failure : round.failed) {
      auto& causes = sites[failure.name];
      auto it = std::find_if(causes.begin(), causes.end(),
                             [&](const FailureTally& tally) { return SameCause(tally.last, failure); });
      if (it == causes.end()) it = causes.insert(it, FailureTally{{}, 0, round.round, 0});
      it->last = failure;
      it->last_round = round.round;
      ++it->count;
    }
  }
  std::vector<FailureTally> all;
  for (auto& [name, causes] : sites) std::move(causes.begin(), causes.end(), std::back_inserter(all));
  return all;
}

std::vector<std::string> LateSites(const api::Round& round) {
  std::vector<std::string> late;
  for (const std::string& name : round.left_out) {
    if (std::none_of(round.failed.begin(), round.failed.end(),
                     [&](const api::SiteFailure& failure) { return failure.name == name; })) {
      late.push_back(name);
    }
  }
  return late;
}

Totals TotalsOf(const api::Run& run) {
  Totals totals;
  for (const api::Round& round : run.rounds) {
    totals.seconds += round.seconds;
    totals.aggregate_seconds += round.aggregate_seconds;
    totals.bytes_up += round.bytes_up;
    totals.bytes_down += round.bytes_down;
  }
  return totals;
}

}  // namespace ote::cli
