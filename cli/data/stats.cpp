// ote data stats: what is known of data without its rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/data/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct StatsOptions {
  std::string name;
  bool federated = false;
  std::vector<std::string> clusters;
  Labels selector;
};

constexpr std::chrono::milliseconds kPatience{60'000};  // for the clusters
constexpr std::chrono::milliseconds kOnTop{10'000};     // for the root to say that some did not answer

double QuantileOf(const api::ColumnStatistics& column, std::size_t quarter) {
  return column.quantiles[(column.quantiles.size() - 1) * quarter / 4];
}

// "red 12, blue 7", the most frequent first.
std::string CountsText(const std::map<std::string, std::int64_t>& counts) {
  constexpr std::size_t kShown = 8;
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(kShown, sorted.size()); ++i) {
    parts.push_back(fmt::format("{} {}", sorted[i].first, sorted[i].second));
  }
  if (sorted.size() > kShown) parts.push_back(fmt::format("and {} more", sorted.size() - kShown));
  return Join(parts, ", ");
}

std::string ColumnsText(const std::vector<api::ColumnStatistics>& columns, bool wide) {
  constexpr std::size_t kShown = 40;
  Table table({{"FEATURE"},
               {"COUNT", false, true},
               {"MISSING", false, true},
               {"MEAN", false, true},
               {"STDDEV", false, true},
               {"MIN", false, true},
               {"25%", true, true},
               {"MEDIAN", false, true},
               {"75%", true, true},
               {"MAX", false, true},
               {"CATEGORIES"}});
  for (std::size_t i = 0; i < std::min(kShown, columns.size()); ++i) {
    const auto& c = columns[i];
    const bool numbers = !c.categorical && c.count > 0;
    const auto number = [numbers](double value) { return numbers ? fmt::format("{:.6g}", value) : std::string(); };
    const auto quarter = [&](std::size_t k) { return c.quantiles.empty() ? std::string() : number(QuantileOf(c, k)); };
    const bool halved = c.quantiles.size() < 5;  // no quarters among them
    table.Add({c.name, std::to_string(c.count), std::to_string(c.missing), number(c.mean),
               number(std::sqrt(c.variance)), number(c.min), halved ? "" : quarter(1), quarter(2),
               halved ? "" : quarter(3), number(c.max), CountsText(c.categories)});
  }
  std::string text = table.Text(wide);
  if (columns.size() > kShown) text += fmt::format("… and {} more, see -o json\n", columns.size() - kShown);
  return text;
}

std::string StatsText(const api::Stats& stats, bool wide) {
  std::vector<std::string> told;
  for (const auto& [name, rows] : stats.clusters) told.push_back(fmt::format("{} ({} rows)", name, rows));
  return FactsText({{"name", stats.name},
                    {"clusters", Join(told, ", ")},
                    {"rows", std::to_string(stats.statistics.rows)},
                    {"features", std::to_string(stats.statistics.columns.size())},
                    {"classes", CountsText(stats.statistics.classes)}}) +
         "\n" + ColumnsText(stats.statistics.columns, wide);
}

Result<Exit> ShowStats(Context& context, const StatsOptions& options) {
  const bool chooses = !options.clusters.empty() || !options.selector.empty();
  if (chooses && !options.federated) {
    return Fail(ErrorId::kUsage, "ote data stats: --clusters and --selector choose among members", "add --federated");
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  api::StatsRequest request;
  request.name = options.name;
  request.federated = options.federated;
  request.clusters = options.clusters;
  request.selector = options.selector;
  const auto patience = context.Patience(options.federated ? kPatience : kLong);
  request.timeout_ms = patience.count();
  OTE_TRY(const api::Stats stats,
          link.Ask<api::Stats>(api::verb::kDataStats, request, options.federated ? patience + kOnTop : patience));
  const bool wide = context.flags.output == Format::kWide;
  PrintOne(context, ToJson(stats), StatsText(stats, wide), stats.name);
  for (const auto& failure : stats.failed) {
    Warn(context, fmt::format("{}: not in them: {} {}", failure.name, failure.code, failure.message));
  }
  return stats.failed.empty() ? Exit::kDone : Exit::kPartly;
}

}  // namespace

Command StatsCommand() {
  auto options = std::make_shared<StatsOptions>();
  Command c("stats", "print statistics of a data set, of this site or of all members together");
  c.About(
      "Count, missing values, mean, spread, range, quantiles and categories of each feature, and the rows of each "
      "class. With --federated, at the root: over the rows of all members that have the data set, as if they stood in "
      "one file; no row leaves its site. Means, spreads and counts are exact, quantiles within 1/64 of the ranks. A "
      "member that is away, or does not tell, is named, and the status is 9. Members wait no longer than --timeout, a "
      "minute without it.");
  c.Argument("NAME", options->name, "the data set").Completes(Names::kDataset);
  c.Switch("--federated", options->federated, "over the members of this root");
  c.Option("--clusters", "NAMES", options->clusters, "federated: only these clusters").Completes(Names::kCluster);
  c.Option("-l,--selector", "KEY=VALUE", options->selector, "federated: only clusters that carry the label");
  c.Example("ote data stats digits", "at a site: its own rows");
  c.Example("ote data stats digits --federated -l region=eu", "at the root: all rows of some members");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound, Exit::kPartly});
  c.Does([options](Context& context) { return ShowStats(context, *options); });
  return c;
}

}  // namespace ote::cli
