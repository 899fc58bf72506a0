// What a run comes to, added up from its rounds: the numbers that the report, `ote fl show` and `ote fl compare` tell.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/run.h"

namespace ote::cli {

// A measure of a model as people read it.
struct MeasureInfo {
  api::Measure kind = api::Measure::kLoss;
  std::string_view name;
  bool share = false;      // from 0 to 1, shown in percent
  bool ascending = false;  // more is better
  std::optional<double> api::Metrics::*field = nullptr;

  std::optional<double> Of(const api::Metrics& metrics) const { return metrics.*field; }
  bool Better(double a, double b) const noexcept { return ascending ? a > b : a < b; }
};
// All of them, in the order in which they are shown.
const std::vector<MeasureInfo>& AllMeasures();
const MeasureInfo& InfoOf(api::Measure measure);
// What a run is judged by: accuracy for classes, RMSE for values, the loss otherwise; AUC where accuracy was not
// measured.
const MeasureInfo& MainMeasure(const api::Run& run);

// The best value of a measure and the round whose model had it.
struct Best {
  std::int64_t round = 0;
  double value = 0;
};
std::optional<Best> BestOf(const api::Run& run, const MeasureInfo& measure);

// What one site did in all rounds.
struct SiteTally {
  std::string name;
  std::int64_t took_part = 0;
  std::int64_t left_out = 0;
  std::int64_t failed = 0;
  std::int64_t examples = 0;  // in the last round that it took part in, as are the measures
  api::Metrics metrics;       // of the model of the round before
  api::Metrics personal;
  api::Phases phases;  // of all its rounds
  double seconds = 0;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  std::int64_t staleness = 0;  // the greatest
  std::string trainer;
};
// Sorted by name.
std::vector<SiteTally> TallySites(const api::Run& run);
double SumOf(const api::Phases& phases) noexcept;
bool Measured(const api::Metrics& metrics) noexcept;

// A site's failures of one cause: the same phase and code, or the same words where there is no code.
struct FailureTally {
  api::SiteFailure last;
  std::int64_t count = 0;
  std::int64_t first_round = 0;
  std::int64_t last_round = 0;
};
// By site, and in the order of their first round.
std::vector<FailureTally> TallyFailures(const api::Run& run);
// Whether two failures are told as one.
bool SameCause(const api::SiteFailure& a, const api::SiteFailure& b) noexcept;

// Those that did not answer in time: left out, and not because they failed.
std::vector<std::string> LateSites(const api::Round& round);

struct Totals {
  double seconds = 0;  // of all rounds
  double aggregate_seconds = 0;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
};
Totals TotalsOf(const api::Run& run);

}  // namespace ote::cli
