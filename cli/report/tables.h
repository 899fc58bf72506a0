// The tables of a run's report, as HTML. Each is "" when it would have no row.
#pragma once

#include <string>
#include <vector>

#include "cli/report/page.h"
#include "cli/report/tally.h"

namespace ote::cli {

std::string ComparisonTable(const std::vector<Comparison>& comparisons);
// At most fifty sites: those with most failures and absences first.
std::string SiteTable(std::vector<SiteTally> sites, const MeasureInfo& measure);
std::string FailureTable(const std::vector<FailureTally>& failures);
// Of very many rounds an even choice, with the last and the best one and those in which a site was missing.
std::string RoundTable(const api::Run& run, const MeasureInfo& measure);
std::string RefusalTable(const std::vector<api::Refusal>& refusals);
// Name and value; values are HTML, and those that are empty are left out.
std::string FactTable(const std::vector<std::pair<std::string, std::string>>& facts);

// A measured value, or a dash.
std::string MeasuredText(const std::optional<double>& value, const MeasureInfo& measure);
std::string SizeText(std::int64_t bytes);
// The first few of them, and how many more there are.
std::string NameList(const std::vector<std::string>& names, std::size_t limit = 8);

}  // namespace ote::cli
