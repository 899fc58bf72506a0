// Who took part in which round, and where the sites' time went, as SVG. The page brings BarStyle() and ChartStyle().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/report/tally.h"

namespace ote::cli {

// A square for each site in each round, full when it took part; of more sites or rounds than there is room for, the
// number of sites by round.
std::string ParticipationSvg(const api::Run& run, const std::vector<SiteTally>& sites);

// A bar for each site, the slowest first and at most twenty of them: mean seconds a round by phase. "" when no site
// told its phases.
std::string PhasesSvg(const std::vector<SiteTally>& sites);

std::string_view BarStyle() noexcept;

}  // namespace ote::cli
