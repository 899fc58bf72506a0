// ote fl compare: runs side by side.
#include "cli/report/compare.h"

#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/fl/show_run.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/files.h"

namespace ote::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> runs;
  std::filesystem::path svg;
  std::optional<api::Measure> metric;
};

Result<Exit> Compare(Context& context, const CompareOptions& options) {
  if (options.runs.size() < 2) {
    return Fail(ErrorId::kUsage, "one run alone has nothing to be compared with", "ote fl list");
  }
  std::vector<api::Run> runs;
  std::vector<std::string> ids;
  for (const std::string& name : options.runs) {
    OTE_TRY(api::Run run, FetchRun(context, name));
    ids.push_back(run.id);
    runs.push_back(std::move(run));
  }
  if (!options.svg.empty()) {
    const auto file = context.Absolute(options.svg);
    OTE_CHECK(
        WriteFileAtomic(file, AsBytes(SvgFile(CompareChart(runs, options.metric))), 0644, Durability::kBestEffort));
    Say(context, fmt::format("chart written to {}", file.string()));
  }
  PrintOne(context, CompareJson(runs), CompareTable(runs).Text(false), Join(ids, "\n"));
  return Exit::kDone;
}

}  // namespace

Command CompareCommand() {
  auto options = std::make_shared<CompareOptions>();
  Command c("compare", "put runs side by side: what differs, how good they are, what they cost");
  c.About(
      "A column a run. The first rows are the settings in which the runs differ; then the measures of the final model "
      "and of the best one, rounds, clusters that took part, bytes, seconds and the model's digest. --svg draws the "
      "measure by round of each.");
  c.Argument("RUN", options->runs, "ids or names of two runs or more").Completes(Names::kRun);
  c.Option("--svg", "FILE", options->svg, "draw the measure by round there").Completes(Names::kFile);
  c.Option("--metric", "METRIC", options->metric, "what --svg draws");
  c.Fallback("what the first run is judged by");
  c.Example("ote fl compare first second", "for people");
  c.Example("ote fl compare first second third --svg runs.svg --metric loss", "and as a picture");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Compare(context, *options); });
  return c;
}

}  // namespace ote::cli
