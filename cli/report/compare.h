// Runs side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/frame/output.h"
#include "cli/report/chart.h"
#include "cli/report/tally.h"

namespace ote::cli {

// "training.learningRate" and what it is in each run, "" where a run has no such setting.
struct Difference {
  std::string setting;
  std::vector<std::string> values;
};
// The settings of run files in which the runs differ, by name; their own names are none.
std::vector<Difference> Differences(const std::vector<api::Run>& runs);

// A row a setting that differs, measure, count and digest; a column a run.
Table CompareTable(const std::vector<api::Run>& runs);
// {"runs": [{id, name, status, settings, metrics, best, rounds, participants, bytesUp, bytesDown, seconds, digest}]},
// with the settings that differ only.
Json CompareJson(const std::vector<api::Run>& runs);

// The measure by round, a line a run; of the first run's main measure when none is named.
Chart CompareChart(const std::vector<api::Run>& runs, std::optional<api::Measure> measure);

}  // namespace ote::cli
