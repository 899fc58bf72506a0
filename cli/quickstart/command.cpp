#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/frame/interrupt.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/quickstart/commands.h"
#include "cli/quickstart/quickstart.h"

namespace ote::cli {
namespace {

std::string Percent(double share) { return fmt::format("{:.1f} %", share * 100); }

Json Document(const QuickstartResult& result) {
  Json sites = Json::array();
  for (const auto& site : result.sites) {
    sites.push_back({{"name", site.name}, {"rows", site.rows}, {"accuracy", site.accuracy}});
  }
  return {{"sites", sites},
          {"federated", {{"accuracy", result.federated_accuracy}}},
          {"pooled", {{"accuracy", result.pooled_accuracy}}},
          {"testRows", result.test_rows},
          {"rounds", result.run.rounds.size()},
          {"model", ToJson(result.run.model)},
          {"seconds", result.seconds},
          {"report", result.report.string()}};
}

Table Summary(const QuickstartResult& result) {
  Table table({{"MODEL"}, {"TRAINING ROWS", false, true}, {"ACCURACY", false, true}});
  std::int64_t rows = 0;
  for (const auto& site : result.sites) {
    table.Add({site.name + " alone", std::to_string(site.rows), Percent(site.accuracy)});
    rows += site.rows;
  }
  table.Add({"federated", std::to_string(rows), Percent(result.federated_accuracy)});
  table.Add({"all rows pooled", std::to_string(rows), Percent(result.pooled_accuracy)});
  return table;
}

Result<Exit> Quickstart(Context& context, const QuickstartOptions& options) {
  const Interruption interruption;
  OTE_TRY(const auto result, RunQuickstart(context, options, interruption.Token()));
  if (!context.flags.quiet) context.err << std::endl;
  const std::string text = fmt::format(
      "{}\nmeasured on the same {} test rows, {:.1f} s in all\nmodel   {}\nreport  {}\n", Summary(result).Text(false),
      result.test_rows, result.seconds, result.run.model.digest, result.report.string());
  PrintOne(context, Document(result), text, result.run.model.digest);
  if (options.keep) {
    const auto folder = result.report.parent_path();
    Next(context, fmt::format("OTE_HOME={0}/home ote cluster list --state {0}/hq", folder.string()));
  }
  return Exit::kDone;
}

}  // namespace

Command QuickstartCommand() {
  auto options = std::make_shared<QuickstartOptions>();
  Command c("quickstart", "a root and three edge clusters on this machine, one federated run, a report");
  c.About(
      "Starts a root and three edge clusters as real processes on this machine, enrols them with tokens, splits 1,797 "
      "images "
      "of digits unevenly over the three, and trains one model across them. Shows each step as the command that does "
      "it, and "
      "at the end how the federated model does beside each cluster trained alone and all rows pooled, on the same test "
      "rows. "
      "Writes a report as one HTML file. Needs no network and no rights; everything is in one folder, and all of it "
      "but the "
      "report is gone at the end unless --keep is given.");
  c.Option("--dir", "DIR", options->folder, "the folder to work in; the next free name is taken when it is in use")
      .Completes(Names::kFile);
  c.Switch("--keep", options->keep, "leave the agents running and their state folders in place");
  c.Option("--rounds", "N", options->rounds, "rounds of training");
  c.Option("--seed", "N", options->seed, "of the split, the first weights and the order of the rows");
  c.Example("ote quickstart", "see it work");
  c.Example("ote quickstart --keep --dir /tmp/tour", "and look around afterwards");
  c.Exits({Exit::kFailed, Exit::kInterrupted});
  c.Does([options](Context& context) { return Quickstart(context, *options); });
  return c;
}

}  // namespace ote::cli
