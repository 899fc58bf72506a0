#include "cli/data/commands.h"

namespace ote::cli {

void AddFileFlags(Command& command, FileOptions& options) {
  command.Option("--label", "COLUMN", options.label, "csv: the column that holds the label or the target");
  command.Option("--label-path", "FILE", options.label_path, "idx and npy: the file of the labels")
      .Completes(Names::kFile);
  command.Option("--ignore", "COLUMNS", options.ignore,
                 "csv: columns that are neither feature nor label, such as an id");
  command.Option("--format", "FORMAT", options.format, "the format of the file");
  command.Option("--task", "TASK", options.task, "whether the label is a class or a value");
  AddMissingFlags(command, options);
}

void AddMissingFlags(Command& command, FileOptions& options) {
  command.Option("--categorical", "COLUMNS", options.categorical, "csv: columns that hold names of kinds, not numbers");
  command.Option("--missing", "VALUES", options.missing,
                 "values may be missing: empty fields, NaN in npy and idx, and these spellings (\"\" for none)");
}

learn::DataSource SourceOf(const Context& context, const FileOptions& options) {
  learn::DataSource source;
  source.path = context.Absolute(options.path);
  if (!options.label_path.empty()) source.label_path = context.Absolute(options.label_path);
  source.format = options.format;
  source.task = options.task;
  source.label = options.label;
  source.ignore = options.ignore;
  source.categorical = options.categorical;
  source.missing = options.missing;
  return source;
}

Command DataCommand() {
  Command noun("data", "register the data sets of a site; the rows never leave it");
  noun.About(
      "A data set is a file at its site, registered under a name. Runs ask for it by that name. The root sees name, "
      "schema and counts, never a path or a row; statistics when its operator asks for them or a run prepares its "
      "data.");
  noun.Example("ote data add digits --path digits.csv --label digit", "at the site");
  noun.Example("ote data list", "at the site its own, at the root what the members have");
  noun.Add(AddDataCommand());
  noun.Add(ListDataCommand());
  noun.Add(ShowDataCommand());
  noun.Add(StatsCommand());
  noun.Add(RemoveDataCommand());
  noun.Add(SplitCommand());
  return noun;
}

}  // namespace ote::cli
