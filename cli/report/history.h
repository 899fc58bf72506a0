// What was measured in a run, a row a round or a row a round and site, for programs that draw and reckon.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/frame/output.h"
#include "core/api/run.h"

namespace ote::cli {

enum class HistoryOf { kRounds, kSites };

struct HistoryColumn {
  enum class Holds { kNumber, kText, kDigest };
  std::string_view name;
  bool wide = false;  // for programs, and for people with -o wide
  Holds holds = Holds::kNumber;
};
// The columns, in order; ote fl metrics --help describes them.
const std::vector<HistoryColumn>& HistoryColumns(HistoryOf what);
// An object a row with all columns, null where there is no value. Rows are ordered by round, then by site.
std::vector<Json> History(const api::Run& run, HistoryOf what);

// RFC 4180 with a heading, lines that end with \n, and nothing for null. A text that a spreadsheet would take for a
// formula has an apostrophe before it: it may be a peer's.
std::string HistoryCsv(const std::vector<Json>& rows, HistoryOf what);
Table HistoryTable(const std::vector<Json>& rows, HistoryOf what);

}  // namespace ote::cli
