#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/files.h"
#include "core/learn/classes.h"
#include "core/learn/data.h"
#include "core/learn/formats.h"

namespace ote::learn {
namespace {

constexpr std::uint64_t kMaxFile = 1ULL << 32;

Result<Bytes> ReadData(const std::filesystem::path& path) {
  auto bytes = ReadFile(path, kMaxFile);
  if (bytes) return bytes;
  Error error = std::move(bytes).error();
  error.id = ErrorId::kDataUnreadable;
  return Fail(std::move(error));
}

// Labels from an array of numbers: classes are whole numbers, spelled in decimal.
Result<void> SetTargets(Table& table, const Array& labels, const DataSource& source, std::string_view label_name) {
  if (source.task == api::DataTask::kRegression) {
    table.targets = labels.values;
    return {};
  }
  ClassNumbers classes;
  table.targets.reserve(labels.values.size());
  for (std::size_t i = 0; i < labels.values.size(); ++i) {
    const float label = labels.values[i];
    // Above 2^24 a float no longer tells neighbours apart.
    if (label != std::floor(label) || std::abs(label) > 16777216.0f) {
      return Fail(ErrorId::kDataBadRow,
                  fmt::format("{}: label {}: not a whole number that can name a class", label_name, i + 1),
                  "for labels that are measurements give --task regression");
    }
    const std::optional<float> number = classes.Number(fmt::format("{}", static_cast<std::int64_t>(label)));
    if (!number) {
      return Fail(ErrorId::kDataBadFormat, fmt::format("{}: more than {} classes", label_name, kMaxClasses),
                  "for labels that are measurements give --task regression");
    }
    table.targets.push_back(*number);
  }
  classes.Finish(table);
  return {};
}

}  // namespace

DataSource SourceOf(const api::Dataset& dataset) {
  DataSource source;
  source.path = dataset.path;
  source.label_path = dataset.label_path;
  source.format = dataset.format;
  source.task = dataset.task;
  source.label = dataset.label;
  source.ignore = dataset.ignore;
  source.categorical = dataset.categorical;
  source.missing = dataset.missing;
  return source;
}

bool IsMissing(const DataSource& source, std::string_view text) {
  if (!source.missing) return false;
  return text.empty() || std::find(source.missing->begin(), source.missing->end(), text) != source.missing->end();
}

Result<Table> NotEmpty(Table table, std::string_view name) {
  if (table.rows == 0) return Fail(ErrorId::kDataTooSmall, fmt::format("{}: no rows", name));
  return table;
}

Result<Table> TableOf(Array features, const Array& labels, const DataSource& source, std::string_view name,
                      std::string_view label_name) {
  Table table;
  table.rows = features.shape[0];
  if (table.rows == 0) return Fail(ErrorId::kDataTooSmall, fmt::format("{}: no rows", name));
  table.columns = static_cast<std::int64_t>(features.values.size()) / table.rows;
  if (table.columns == 0) return Fail(ErrorId::kDataBadFormat, fmt::format("{}: its rows are empty", name));
  const auto count = static_cast<std::int64_t>(labels.values.size());
  if (labels.shape[0] != count) {
    return Fail(ErrorId::kDataBadFormat, fmt::format("{}: more than one label a row", label_name));
  }
  if (count != table.rows) {
    return Fail(ErrorId::kDataBadFormat,
                fmt::format("{}: {} labels for the {} rows of {}", label_name, count, table.rows, name));
  }
  if (source.unlabeled) {
    table.targets = labels.values;
  } else {
    OTE_CHECK(SetTargets(table, labels, source, label_name));
  }
  table.features = std::move(features.values);
  table.feature_names.reserve(static_cast<std::size_t>(table.columns));
  for (std::int64_t i = 0; i < table.columns; ++i) table.feature_names.push_back(fmt::format("x{}", i));
  return table;
}

Result<Table> ParseTable(ByteView bytes, ByteView label_bytes, const DataSource& source, std::string_view name) {
  if (IsGzip(bytes)) {
    OTE_TRY(const Bytes plain, Gunzip(bytes, kMaxFile, name));
    if (IsGzip(plain)) return Fail(ErrorId::kDataBadFormat, fmt::format("{}: compressed twice", name));
    return ParseTable(plain, label_bytes, source, name);
  }
  if (source.format == api::DataFormat::kCsv) return ParseCsv(AsText(bytes), source, name);
  if (!source.categorical.empty()) {
    return Fail(ErrorId::kUnsupported,
                fmt::format("{}: categorical columns are for csv, not {}", name, NameOf(source.format)));
  }
  if (source.format == api::DataFormat::kLibsvm) return ParseLibsvm(AsText(bytes), source, name);

  const std::string label_name =
      source.label_path.empty() ? fmt::format("{}: labels", name) : source.label_path.string();
  Bytes plain;
  if (IsGzip(label_bytes)) {
    OTE_TRY(plain, Gunzip(label_bytes, kMaxFile, label_name));
    label_bytes = plain;
  }
  const auto parse = source.format == api::DataFormat::kIdx ? ParseIdx : ParseNpy;
  OTE_TRY(Array features, parse(bytes, name, source.missing ? NotThere::kAllowed : NotThere::kRefused));
  if (source.unlabeled) {
    const Array none{{features.shape[0]}, std::vector<float>(static_cast<std::size_t>(features.shape[0]))};
    return TableOf(std::move(features), none, source, name, label_name);
  }
  OTE_TRY(const Array labels, parse(label_bytes, label_name, NotThere::kRefused));
  return TableOf(std::move(features), labels, source, name, label_name);
}

Result<Table> LoadTable(const DataSource& source) {
  const bool separate = source.format == api::DataFormat::kIdx || source.format == api::DataFormat::kNpy;
  if (separate && source.label_path.empty() && !source.unlabeled) {
    return Fail(ErrorId::kDataNoLabel, fmt::format("{}: the file of the labels is not named", source.path.string()),
                "give --label-path FILE");
  }
  OTE_TRY(const Bytes bytes, ReadData(source.path));
  Bytes labels;
  if (separate && !source.unlabeled) {
    OTE_TRY(labels, ReadData(source.label_path));
  }
  return ParseTable(bytes, labels, source, source.path.string());
}

}  // namespace ote::learn
