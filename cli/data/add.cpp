// ote data add: register a file at its site.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/by_hand/alone.h"
#include "cli/data/commands.h"
#include "cli/data/show.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

struct AddOptions {
  std::string name;
  FileOptions file;
  double test_fraction = 0.2;
  std::uint64_t split_seed = 0;
  std::int64_t min_rows = api::Dataset().min_rows;
  std::optional<api::FoldPolicy> fold;  // nothing: as it is
  bool replace = false;
  std::string budget;  // "" for as it is
  double delta = api::PrivacyTerms().delta;
  std::optional<api::NoiseKind> noise;
  bool forget = false;
};

// What the flags say of privacy; nothing when none was given.
Result<std::optional<api::PrivacyTerms>> TermsOf(const AddOptions& options) {
  if (options.budget.empty()) {
    if (!options.noise) return std::optional<api::PrivacyTerms>();
    return Fail(ErrorId::kUsage, "--privacy-noise: it is for data sets with a --privacy-budget");
  }
  api::PrivacyTerms terms;
  terms.delta = options.delta;
  if (options.budget != "none") {
    const auto read = ReadValue(options.budget, terms.epsilon);
    if (!read) return Fail(ErrorId::kUsage, "--privacy-budget: " + read.error().message, "a number, or none");
  }
  terms.noise = options.noise.value_or(terms.noise);
  OTE_CHECK(api::Validate(terms));
  return std::optional(terms);
}

// What an owner refused stays refused until somebody says otherwise.
void KeepFold(const AddOptions& options, const std::vector<api::Dataset>& there, api::DataAddRequest& request) {
  const auto it = std::ranges::find(there, options.name, &api::Dataset::name);
  if (!options.fold && it != there.end()) request.dataset.fold = it->fold;
}

Result<Exit> Add(Context& context, const AddOptions& options) {
  OTE_CHECK(CheckName("data set", options.name));
  if (options.file.format == api::DataFormat::kCsv && options.file.label.empty()) {
    return Fail(ErrorId::kUsage, "ote data add: --label is missing", "name the csv column that holds the label");
  }
  const learn::DataSource source = SourceOf(context, options.file);
  if (context.flags.dry_run) {
    OTE_TRY(const api::Dataset seen, learn::Describe(source, options.name, options.test_fraction, options.split_seed));
    Say(context, fmt::format("data set {}: would be registered", options.name));
    PrintOne(context, ToJson(seen), DatasetText(seen), seen.name);
    return Exit::kDone;
  }
  api::DataAddRequest request;
  request.dataset.name = options.name;
  request.dataset.path = source.path.string();
  request.dataset.label_path = source.label_path.string();
  request.dataset.format = source.format;
  request.dataset.task = source.task;
  request.dataset.label = source.label;
  request.dataset.ignore = source.ignore;
  request.dataset.categorical = source.categorical;
  request.dataset.missing = source.missing;
  request.dataset.min_rows = options.min_rows;
  request.dataset.fold = options.fold.value_or(api::FoldPolicy::kAllow);
  request.dataset.test_fraction = options.test_fraction;
  request.dataset.split_seed = BigId{options.split_seed};
  request.replace = options.replace;
  OTE_TRY(request.privacy, TermsOf(options));
  request.forget_spending = options.forget;
  api::Dataset dataset;
  std::string at;
  OTE_TRY(auto alone, OpenAlone(context));
  if (alone) {
    OTE_TRY(const auto there, ListDatasets(*alone));
    KeepFold(options, there, request);
    OTE_TRY(dataset, AddDataset(context, *alone, request));
    OTE_TRY(at, alone->Name());
  } else {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    OTE_TRY(const auto there, link.Ask<api::DataList>(api::verb::kDataList, api::Empty{}, context.Patience(kQuick)));
    KeepFold(options, there.items, request);
    OTE_TRY(dataset, link.Ask<api::Dataset>(api::verb::kDataAdd, request, context.Patience(kLong)));
    at = link.Member().name;
  }
  Say(context, fmt::format("data set {}: registered at {}", dataset.name, at));
  PrintOne(context, ToJson(dataset), DatasetText(dataset), dataset.name);
  return Exit::kDone;
}

}  // namespace

Command AddDataCommand() {
  auto options = std::make_shared<AddOptions>();
  Command c("add", "register a file as a data set of this site");
  c.About(
      "The agent of the site reads the whole file once, under its own user. A bad row is reported with file, line "
      "and column, and nothing is registered then. Some rows are held out to measure models on. The same command "
      "twice is safe; another file or other settings under the same name need --replace. Runs on a data set with "
      "categories or missing values say in their prepare part what becomes of them. A privacy budget is spent by the "
      "rows "
      "and not by the name: another name, another copy of the file or --replace leave what was spent as it is. See "
      "ote-privacy(7).");
  c.Argument("NAME", options->name, "the name that runs ask for");
  c.Option("--path", "FILE", options->file.path, "the file; it stays where it is").Required().Completes(Names::kFile);
  AddFileFlags(c, options->file);
  c.Option("--test-fraction", "FRACTION", options->test_fraction,
           "the part of the rows that is held out for measuring");
  c.Option("--split-seed", "NUMBER", options->split_seed, "decides which rows are held out");
  c.Option("--min-rows", "COUNT", options->min_rows, "with fewer rows, the site tells the root no statistics");
  c.Option(
      "--fold", "POLICY", options->fold,
      "whether relays may read its updates to add them up; with refuse only the root reads them; stays as it is when "
      "not given");
  c.Option("--privacy-budget", "EPSILON", options->budget,
           "what all runs together may learn of its rows, or none; a round that would bring it past it is refused");
  c.Option("--privacy-delta", "DELTA", options->delta, "the delta of the budget");
  c.Option("--privacy-noise", "KIND", options->noise,
           "who must add the noise at least: central, distributed or local; central trusts the root with it");
  c.Switch("--privacy-forget", options->forget,
           "forget what was spent: only when the rows are not those of before, nor any of them");
  c.Switch("--replace", options->replace, "take the place of a data set of the same name");
  c.Example("ote data add digits --path digits.csv --label digit", "classes from a column");
  c.Example("ote data add digits --path images.idx.gz --label-path labels.idx.gz --format idx", "images in IDX files");
  c.Example("ote data add people --path people.csv --label ill --categorical sex,smoker --missing NA,?",
            "names of kinds, and values that are not there");
  c.Example("ote data add digits --path digits.csv --label digit --privacy-budget 3 --privacy-delta 1e-6",
            "rounds with noise only, up to an epsilon of 3");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Add(context, *options); });
  return c;
}

}  // namespace ote::cli
