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

void AddShareFlags(Command& command, ShareOptions& options) {
  command.Option("--dirichlet", "ALPHA", options.dirichlet,
                 "draw the shares of each class from Dirichlet(ALPHA); evenly without");
  command.Option("--classes-per-site", "COUNT", options.classes, "give each part rows of so many classes only");
}

Result<std::vector<std::vector<std::int64_t>>> ShareRows(const learn::Table& table, std::int64_t parts,
                                                         const ShareOptions& options, std::uint64_t seed) {
  if (options.dirichlet && options.classes) {
    return Fail(ErrorId::kUsage, "--dirichlet and --classes-per-site: both say how rows are shared out", "give one");
  }
  if (options.dirichlet) return learn::ShareByDirichlet(table, parts, *options.dirichlet, seed);
  if (options.classes) return learn::ShareByClasses(table, parts, *options.classes, seed);
  return learn::ShareEvenly(table.rows, parts, seed);
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
