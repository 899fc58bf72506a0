// Rows in memory, and how they are read from a site's files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/api/dataset.h"
#include "core/base/result.h"

namespace ote::learn {

// `features` is row-major, rows × columns, float32. `targets` has one number a row: the class index, or the value.
// Models take numbers that are there: rows with a NaN, which stands for a value that is missing, or with categories go
// through Prepare (prepare.h) before.
struct Table {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<float> features;
  std::vector<float> targets;
  std::vector<std::string> feature_names;
  // Spelled as in the file, sorted: by value when all are whole numbers, by bytes otherwise. Empty for regression.
  std::vector<std::string> class_names;
  // Of each categorical column, by its number: sorted by bytes; a feature is the place of its category.
  std::map<std::int64_t, std::vector<std::string>> categories;
  std::vector<std::int64_t> places;  // which row of its file each row is, from 1; empty for 1, 2, …

  std::span<const float> Row(std::int64_t i) const noexcept;
  std::int64_t PlaceOf(std::int64_t row) const noexcept;
};

// What to read. `label` is needed for csv; idx and npy take the labels from `label_path`. A csv has a header line,
// commas, optional quotes (RFC 4180), LF or CRLF. idx and csv may be gzip-compressed (by content, not by name).
struct DataSource {
  std::filesystem::path path;
  std::filesystem::path label_path;
  api::DataFormat format = api::DataFormat::kCsv;
  api::DataTask task = api::DataTask::kClassification;
  std::string label;
  std::vector<std::string> ignore;
  // csv: columns that hold names of kinds, and not numbers.
  std::vector<std::string> categorical;
  // How a value that is missing is spelled, beside a csv's empty field and npy's and idx's NaN. Absent: none may be.
  std::optional<std::vector<std::string>> missing;
  // The rows have features only, to predict from: every csv column but the ignored ones is one, no label file is read,
  // and all targets are 0 with no classes.
  bool unlabeled = false;
};
DataSource SourceOf(const api::Dataset& dataset);

// Reads it all or nothing. kDataBadRow `FILE:LINE:COLUMN: …` for a row that is short, long, empty, not a number or not
// finite; kDataNoLabel lists the columns that are there; kTooManyCategories; kDataBadFormat; kDataUnreadable.
Result<Table> LoadTable(const DataSource& source);
// The same from memory; `name` stands in messages. Never trusts a count in the bytes for an allocation.
Result<Table> ParseTable(ByteView bytes, ByteView label_bytes, const DataSource& source, std::string_view name);

// Renumbers the classes of `table` to their places in `classes`; kModelDataMismatch names one that is not there.
Result<void> UseClasses(Table& table, const std::vector<std::string>& classes);

// Takes out the rows whose class is not in `classes`, renumbers the others as UseClasses does, and tells how many went.
std::int64_t KeepClasses(Table& table, const std::vector<std::string>& classes);

struct Split {
  Table train;
  Table test;
};
// The numbers of the rows on each side, ascending: what SplitTable takes.
struct SplitNumbers {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
};
Result<SplitNumbers> SplitRows(std::int64_t rows, double test_fraction, std::uint64_t seed);
// Puts each row to one side by a hash of `seed` and its number: the same rows at every call; test gets at least one row
// and train at least one when there are two or more. fraction 0 leaves test empty.
Result<Split> SplitTable(const Table& table, double test_fraction, std::uint64_t seed);

// Row numbers of each of `parts` shares. Evenly, or by a Dirichlet(alpha) draw over the shares for each class (Hsu, Qi
// and Brown 2019), every share at least one row; the same seed gives the same shares on every machine.
Result<std::vector<std::vector<std::int64_t>>> ShareEvenly(std::int64_t rows, std::int64_t parts, std::uint64_t seed);
Result<std::vector<std::vector<std::int64_t>>> ShareByDirichlet(const Table& table, std::int64_t parts, double alpha,
                                                                std::uint64_t seed);
// Each share has rows of so many classes only (McMahan et al. 2017 call it pathological), a class is in as many shares
// as any other or in one more, and its rows are spread evenly over them. kUsage when there are fewer classes, or when
// some class would be in no share.
Result<std::vector<std::vector<std::int64_t>>> ShareByClasses(const Table& table, std::int64_t parts,
                                                              std::int64_t classes, std::uint64_t seed);
Table Take(const Table& table, std::span<const std::int64_t> rows);

// Looks at a file and fills a Dataset (statistics, classes, counts, digest left empty): what `ote data add` registers.
Result<api::Dataset> Describe(const DataSource& source, const std::string& name, double test_fraction,
                              std::uint64_t seed);

}  // namespace ote::learn
