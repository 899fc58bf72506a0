// ote fl report: a run as a page to look at.
#include "cli/frame/report.h"

#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/fl/show_run.h"
#include "cli/frame/output.h"
#include "cli/report/page.h"
#include "core/base/files.h"

namespace ote::cli {
namespace {

struct ReportOptions {
  std::string run;
  std::filesystem::path to;
};

Result<Exit> WriteReport(Context& context, const ReportOptions& options) {
  OTE_TRY(api::Run run, FetchRun(context, options.run));
  ReportInput input;
  input.title = run.spec.name.empty() ? run.id : run.spec.name;
  input.note = fmt::format("{} on the data set {}, {}; {}", NameOf(run.spec.model.kind), run.spec.dataset,
                           NameOf(run.spec.strategy.kind), run.id);
  input.run = std::move(run);
  const auto file = context.Absolute(options.to.empty() ? std::filesystem::path(input.run.id + ".html") : options.to);
  OTE_CHECK(WriteFileAtomic(file, AsBytes(RenderReport(input)), 0644, Durability::kBestEffort));
  PrintOne(context, {{"run", input.run.id}, {"file", file.string()}}, file.string() + "\n", file.string());
  return Exit::kDone;
}

}  // namespace

Command ReportCommand() {
  auto options = std::make_shared<ReportOptions>();
  Command c("report", "write a run as one HTML page with charts");
  c.About(
      "Learning curves overall and by cluster, who took part in each round and who failed and why, bytes, seconds by "
      "phase, the settings and what the model came from. The page needs no network and no script, and can be printed. "
      "For a run that goes on it tells what there is so far. A file that is there is replaced.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Option("--to", "FILE", options->to, "where it is written").Completes(Names::kFile);
  c.Fallback("RUN.html");
  c.Example("ote fl report run-7k2m9q4x0d", "run-7k2m9q4x0d.html");
  c.Example("ote fl report digits --to report.html", "elsewhere");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return WriteReport(context, *options); });
  return c;
}

}  // namespace ote::cli
