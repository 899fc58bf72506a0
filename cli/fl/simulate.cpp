// ote fl simulate: a whole federation in this process.
#include "core/simulate/simulate.h"

#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/fl/follow.h"
#include "cli/fl/show_run.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/output.h"
#include "cli/frame/progress.h"
#include "cli/frame/report.h"
#include "cli/frame/share.h"
#include "core/base/files.h"

namespace ote::cli {
namespace {

struct Sample {
  std::string dataset;
  std::string file;
  std::string label;
};
// The samples that are installed with ote.
const Sample kSamples[] = {{"digits", "samples/digits.csv", "digit"},
                           {"breast-cancer", "samples/breast_cancer.csv", "diagnosis"}};

// The file that was named, or the sample of the data set's name.
Result<learn::DataSource> Source(const Context& context, const SimulateOptions& options, const api::RunSpec& spec) {
  FileOptions file = options.data;
  file.task = spec.task;
  if (!file.path.empty()) return SourceOf(context, file);
  for (const Sample& sample : kSamples) {
    if (sample.dataset != spec.dataset) continue;
    OTE_TRY(file.path, FindShared(context, sample.file));
    if (file.label.empty()) file.label = sample.label;
    return SourceOf(context, file);
  }
  return Fail(ErrorId::kUsage, fmt::format("data set {}: which file?", spec.dataset), "--data FILE --label COLUMN");
}

Result<std::vector<simulate::SimulatedSite>> MakeSites(const learn::Table& table, const SimulateOptions& options,
                                                       std::uint64_t seed) {
  OTE_TRY(const auto shares, ShareRows(table, options.sites, options.shares, seed));
  const int digits = static_cast<int>(std::to_string(options.sites).size());
  std::vector<simulate::SimulatedSite> sites;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const learn::Table own = learn::Take(table, shares[i]);
    // A site with a single row trains on it and has none to measure on.
    const double held_out = own.rows < 2 ? 0.0 : options.test_fraction;
    learn::Split split{own, learn::Take(table, {})};
    if (held_out > 0) {
      OTE_TRY(split, learn::SplitTable(own, held_out, seed + i));
    }
    sites.push_back({fmt::format("site-{:0{}}", i + 1, digits), std::move(split.train), std::move(split.test)});
  }
  return sites;
}

}  // namespace

Result<Exit> SimulateFl(Context& context, const SimulateOptions& options) {
  if (options.sites < 1) return Fail(ErrorId::kUsage, "--sites: there must be one at least");
  const std::string dataset = options.data.path.empty() ? "" : "data";
  OTE_TRY(api::RunSpec spec, ReadRun(context, options.flags, dataset));
  OTE_TRY(const learn::DataSource source, Source(context, options, spec));
  OTE_TRY(const learn::Table table, learn::LoadTable(source));
  OTE_TRY(const auto sites, MakeSites(table, options, static_cast<std::uint64_t>(spec.seed)));
  // With fewer sites than a file made for real ones asks for, all of them is what it can mean.
  spec.sites.minimum = std::min(spec.sites.minimum, options.sites);

  const Interruption interruption;
  Progress progress(context);
  simulate::SimulateOptions how;
  how.arrival_seed = options.arrival_seed;
  how.absent = options.absent;
  how.on_event = [&](const api::RunEvent& event) {
    if (context.flags.output == Format::kJsonl) PrintLine(context, ToJson(event), false);
  };
  how.on_round = [&](const api::Run& run) {
    if (run.rounds.empty()) return;
    const std::string text = fmt::format("round {}/{}  {} sites  {}", run.rounds.back().round, run.planned_rounds,
                                         run.rounds.back().participants.size(), MetricsText(run.metrics));
    if (progress.Animated()) return progress.Now(text);
    progress.Change(text, {{"round", run.rounds.back().round}, {"metrics", ToJson(run.metrics)}});
  };
  OTE_TRY(const simulate::Simulated done, simulate::Simulate(spec, sites, how, interruption.Token()));
  progress.End();
  if (!options.save.empty()) {
    OTE_CHECK(WriteFileAtomic(context.Absolute(options.save), done.model));
    Say(context, fmt::format("model written to {}", options.save.string()));
  }
  Say(context, fmt::format("{} sites, {} messages, {} bytes", sites.size(), done.messages, done.bytes));
  return FinishRun(context, done.run);
}

Command SimulateCommand() {
  auto options = std::make_shared<SimulateOptions>();
  Command c("simulate", "run a whole federation in this process, with no agent and no network");
  c.About(
      "The same state machine and the same messages as a real run, encoded and decoded, on one file that is shared "
      "out over as many sites as asked for. The model has the same digest whatever the order in which the sites "
      "answer. Without --data the data sets digits and breast-cancer are the samples that come with ote.");
  AddRunFlags(c, options->flags);
  c.Option("--sites", "COUNT", options->sites, "how many sites");
  c.Option("--data", "FILE", options->data.path, "the file that is shared out").Completes(Names::kFile);
  c.Option("--label", "COLUMN", options->data.label, "csv: the column that holds the label or the target");
  c.Option("--label-path", "FILE", options->data.label_path, "idx and npy: the file of the labels")
      .Completes(Names::kFile);
  c.Option("--ignore", "COLUMNS", options->data.ignore, "csv: columns that are neither feature nor label");
  c.Option("--format", "FORMAT", options->data.format, "the format of the file");
  AddMissingFlags(c, options->data);
  AddShareFlags(c, options->shares);
  c.Option("--test-fraction", "FRACTION", options->test_fraction, "the part of each site's rows that is held out");
  c.Option("--absent", "FRACTION", options->absent, "the part of the sites that misses each round");
  c.Option("--arrival-seed", "NUMBER", options->arrival_seed, "decides the order in which sites answer");
  c.Option("--save", "FILE", options->save, "write the model there").Completes(Names::kFile);
  c.Example("ote fl simulate --dataset digits --model mlp --input-scale 0.0625 --sites 10 --dirichlet 0.3",
            "on a sample");
  c.Example("ote fl simulate -f run.yaml --sites 1000 --data digits.csv --label digit", "a run file, a thousand sites");
  c.Exits({Exit::kFailed, Exit::kInterrupted});
  c.Does([options](Context& context) { return SimulateFl(context, *options); });
  return c;
}

}  // namespace ote::cli
