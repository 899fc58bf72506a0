// ote data: the data sets of a site.
#pragma once

#include "cli/frame/command.h"
#include "core/api/dataset.h"
#include "core/learn/data.h"

namespace ote::cli {

Command DataCommand();

Command AddDataCommand();
Command ListDataCommand();
Command ShowDataCommand();
Command RemoveDataCommand();
Command StatsCommand();
Command SplitCommand();

// How a file is read; the flags that all verbs share that read one.
struct FileOptions {
  std::filesystem::path path;
  std::filesystem::path label_path;
  std::string label;
  std::vector<std::string> ignore;
  std::vector<std::string> categorical;
  std::optional<std::vector<std::string>> missing;
  api::DataFormat format = api::DataFormat::kCsv;
  api::DataTask task = api::DataTask::kClassification;
};
// Adds --label, --label-path, --ignore, --format and --task, and the flags of AddMissingFlags.
void AddFileFlags(Command& command, FileOptions& options);
// Adds --categorical and --missing.
void AddMissingFlags(Command& command, FileOptions& options);
// With absolute paths.
learn::DataSource SourceOf(const Context& context, const FileOptions& options);

// How unevenly rows are shared out; evenly when neither is given.
struct ShareOptions {
  std::optional<double> dirichlet;
  std::optional<std::int64_t> classes;
};
// Adds --dirichlet and --classes-per-site.
void AddShareFlags(Command& command, ShareOptions& options);
// The row numbers of each part.
Result<std::vector<std::vector<std::int64_t>>> ShareRows(const learn::Table& table, std::int64_t parts,
                                                         const ShareOptions& options, std::uint64_t seed);

struct SplitOptions {
  FileOptions file;
  std::int64_t parts = 3;
  ShareOptions shares;
  std::uint64_t seed = 1;
  double test_fraction = 0;
  std::vector<std::string> names;
  std::filesystem::path out = ".";
};
struct PartFile {
  std::filesystem::path path;
  std::int64_t rows = 0;
};
// Writes the parts, in their order, and test.csv last when a fraction is asked for.
Result<std::vector<PartFile>> SplitFile(const Context& context, const SplitOptions& options);

}  // namespace ote::cli
