// ote data add: register a file at its site.
#include <fmt/format.h>

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
  bool replace = false;
};

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
  request.dataset.test_fraction = options.test_fraction;
  request.dataset.split_seed = BigId{options.split_seed};
  request.replace = options.replace;
  api::Dataset dataset;
  std::string at;
  OTE_TRY(auto alone, OpenAlone(context));
  if (alone) {
    OTE_TRY(dataset, AddDataset(context, *alone, request));
    OTE_TRY(at, alone->Name());
  } else {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
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
      "categories or missing values say in their prepare part what becomes of them.");
  c.Argument("NAME", options->name, "the name that runs ask for");
  c.Option("--path", "FILE", options->file.path, "the file; it stays where it is").Required().Completes(Names::kFile);
  AddFileFlags(c, options->file);
  c.Option("--test-fraction", "FRACTION", options->test_fraction,
           "the part of the rows that is held out for measuring");
  c.Option("--split-seed", "NUMBER", options->split_seed, "decides which rows are held out");
  c.Option("--min-rows", "COUNT", options->min_rows, "with fewer rows, the site tells the root no statistics");
  c.Switch("--replace", options->replace, "take the place of a data set of the same name");
  c.Example("ote data add digits --path digits.csv --label digit", "classes from a column");
  c.Example("ote data add digits --path images.idx.gz --label-path labels.idx.gz --format idx", "images in IDX files");
  c.Example("ote data add people --path people.csv --label ill --categorical sex,smoker --missing NA,?",
            "names of kinds, and values that are not there");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Add(context, *options); });
  return c;
}

}  // namespace ote::cli
