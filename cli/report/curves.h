// The charts of a run's report.
#pragma once

#include <string>

#include "cli/report/chart.h"
#include "cli/report/tally.h"

namespace ote::cli {

// The measure by round, overall and at each site; of many sites the span in which they lie.
std::string MeasureChart(const api::Run& run, const MeasureInfo& measure);
// The measure's own values beside those of other runs.
Unit UnitOf(const MeasureInfo& measure);
Series CurveOf(const api::Run& run, const MeasureInfo& measure, std::string name);

// The loss on held-out rows, where accuracy or another measure is the main one, and while training.
std::string LossChart(const api::Run& run);
// Bytes, seconds, the learning rate; "" for one that would show nothing.
std::string BytesChart(const api::Run& run);
std::string SecondsChart(const api::Run& run);
std::string RateChart(const api::Run& run);

}  // namespace ote::cli
