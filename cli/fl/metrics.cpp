// ote fl metrics: the history of a run as numbers.
#include <fmt/format.h>

#include <ostream>

#include "cli/fl/commands.h"
#include "cli/fl/show_run.h"
#include "cli/frame/output.h"
#include "cli/report/history.h"

namespace ote::cli {
namespace {

struct MetricsOptions {
  std::string run;
  bool csv = false;
  bool per_site = false;
};

Result<Exit> Metrics(Context& context, const MetricsOptions& options) {
  if (options.csv && context.flags.output != Format::kTable) {
    return Fail(ErrorId::kUsage, fmt::format("--csv and -o {} are two formats", NameOf(context.flags.output)),
                "give one of them");
  }
  OTE_TRY(const api::Run run, FetchRun(context, options.run));
  const HistoryOf what = options.per_site ? HistoryOf::kSites : HistoryOf::kRounds;
  const auto rows = History(run, what);
  if (options.csv) {
    context.printed = true;
    context.out << HistoryCsv(rows, what) << std::flush;
    return Exit::kDone;
  }
  PrintList(context, rows, HistoryTable(rows, what), {run.id});
  return Exit::kDone;
}

}  // namespace

Command MetricsCommand() {
  auto options = std::make_shared<MetricsOptions>();
  Command c("metrics", "print what was measured in each round, for programs that draw and reckon");
  c.About(
      "A line a round: run, round, participants, leftOut and failed (how many clusters), examples (rows trained on), "
      "rows (held out, that the model was measured on), accuracy, auc, rmse and loss of the model that the round made, "
      "trainLoss, learningRate, seconds, aggregateSeconds, bytesUp, bytesDown, startedAt, finishedAt (milliseconds "
      "since 1970) and model (its digest). With --per-site a line a round and cluster: run, round, site, part "
      "(took-part, left-out, failed or measured), examples, rows, accuracy to loss of the model that the round started "
      "from, personal.accuracy to personal.loss of the cluster's own model, trainLoss, steps, seconds, the seconds of "
      "its phases wait, fetch, prepare, measure and train, bytesUp, bytesDown, staleness, trainer, update (its "
      "digest), and phase, code and message of a failure. What was not measured is null, or nothing with --csv. -o "
      "jsonl gives an object a line and a last line that is marked terminal; --csv gives comma-separated values, "
      "in which a text that a spreadsheet would run has an apostrophe before it.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Switch("--per-site", options->per_site, "a line for each cluster in each round");
  c.Switch("--csv", options->csv, "comma-separated values with a heading, in place of -o");
  c.Example("ote fl metrics run-7k2m9q4x0d --csv", "into a spreadsheet");
  c.Example("ote fl metrics run-7k2m9q4x0d --per-site -o jsonl", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Metrics(context, *options); });
  return c;
}

}  // namespace ote::cli
