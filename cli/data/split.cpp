// ote data split: one file into several, for trials. Needs no agent.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/data/commands.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/files.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

using Rows = std::vector<std::int64_t>;

// The text of each row, to be written out as it stands. The first one is the header.
struct Lines {
  std::string header;
  std::vector<std::string> rows;
};

// Records of a csv: a line break inside quotes belongs to its field (RFC 4180). Empty lines are left out.
Lines CutCsv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Lines lines;
  bool quoted = false;
  bool first = true;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '"') quoted = !quoted;
    if (i < text.size() && (quoted || text[i] != '\n')) continue;
    std::string_view line = text.substr(begin, i - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin = i + 1;
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (first) {
      lines.header = line;
      first = false;
    } else {
      lines.rows.emplace_back(line);
    }
  }
  return lines;
}

std::string Quoted(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string out = "\"";
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// For formats that are no text: the rows spelled as csv, numbers so that they read back as the same float32.
Lines SpellCsv(const learn::Table& table) {
  Lines lines;
  for (std::int64_t c = 0; c < table.columns; ++c) {
    const auto i = static_cast<std::size_t>(c);
    lines.header += Quoted(i < table.feature_names.size() ? table.feature_names[i] : fmt::format("x{}", c)) + ",";
  }
  lines.header += "label";
  for (std::int64_t r = 0; r < table.rows; ++r) {
    std::string line;
    for (const float value : table.Row(r)) line += fmt::format("{},", value);
    const float target = table.targets[static_cast<std::size_t>(r)];
    line += table.class_names.empty() ? fmt::format("{}", target)
                                      : Quoted(table.class_names[static_cast<std::size_t>(target)]);
    lines.rows.push_back(std::move(line));
  }
  return lines;
}

Result<Lines> LinesOf(const learn::DataSource& source, const learn::Table& table) {
  if (source.format != api::DataFormat::kCsv) return SpellCsv(table);
  OTE_TRY(const std::string text, ReadTextFile(source.path, 1ULL << 32));
  if (text.starts_with("\x1f\x8b")) return SpellCsv(table);
  Lines lines = CutCsv(text);
  if (std::cmp_not_equal(lines.rows.size(), table.rows)) {
    return Fail(ErrorId::kDataBadFormat,
                fmt::format("{}: {} lines but {} rows", source.path.string(), lines.rows.size(), table.rows));
  }
  return lines;
}

Result<PartFile> Write(const std::filesystem::path& path, const Lines& lines, const Rows& rows) {
  std::string text = lines.header + "\n";
  for (const std::int64_t row : rows) text += lines.rows[static_cast<std::size_t>(row)] + "\n";
  OTE_CHECK(WriteFileAtomic(path, AsBytes(text), 0600, Durability::kBestEffort));
  return PartFile{path, static_cast<std::int64_t>(rows.size())};
}

Result<void> Check(const SplitOptions& options) {
  if (options.parts < 1) return Fail(ErrorId::kUsage, "--parts: there must be one at least");
  if (!options.names.empty() && std::cmp_not_equal(options.names.size(), options.parts)) {
    return Fail(ErrorId::kUsage, fmt::format("--names: {} names for {} parts", options.names.size(), options.parts));
  }
  if (!(options.test_fraction >= 0 && options.test_fraction < 1)) {
    return Fail(ErrorId::kUsage, fmt::format("--test-fraction {}: not from 0 to below 1", options.test_fraction));
  }
  for (const std::string& name : options.names) OTE_CHECK(CheckName("part", name));
  return {};
}

// Which rows are the common test part, drawn with the seed; the rest is left in `rest`.
Result<Rows> DrawTest(std::int64_t rows, double fraction, std::uint64_t seed, Rows* rest) {
  Rows test;
  const auto count = static_cast<std::int64_t>(fraction * static_cast<double>(rows) + 0.5);
  if (count > 0 && count < rows) {
    // As many parts as rows gives a seeded order of them.
    OTE_TRY(const auto order, learn::ShareEvenly(rows, rows, seed ^ 0x7465737473656564ULL));
    for (std::int64_t i = 0; i < count; ++i) test.push_back(order[static_cast<std::size_t>(i)].front());
    std::sort(test.begin(), test.end());
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    if (!std::binary_search(test.begin(), test.end(), row)) rest->push_back(row);
  }
  return test;
}

Result<Exit> Split(Context& context, const SplitOptions& options) {
  OTE_TRY(const auto parts, SplitFile(context, options));
  Table table({{"FILE"}, {"ROWS", false, true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const PartFile& part : parts) {
    table.Add({part.path.string(), std::to_string(part.rows)});
    items.push_back({{"path", part.path.string()}, {"rows", part.rows}});
    names.push_back(part.path.string());
  }
  if (context.flags.dry_run) Say(context, "nothing was written");
  PrintList(context, items, table, names);
  return Exit::kDone;
}

}  // namespace

Result<std::vector<PartFile>> SplitFile(const Context& context, const SplitOptions& options) {
  OTE_CHECK(Check(options));
  const learn::DataSource source = SourceOf(context, options.file);
  OTE_TRY(const learn::Table table, learn::LoadTable(source));
  OTE_TRY(const Lines lines, LinesOf(source, table));
  Rows rest;
  OTE_TRY(const Rows test, DrawTest(table.rows, options.test_fraction, options.seed, &rest));
  OTE_TRY(const std::vector<Rows> shares,
          ShareRows(learn::Take(table, rest), options.parts, options.shares, options.seed));
  const std::filesystem::path out = context.Absolute(options.out);
  if (!context.flags.dry_run) OTE_CHECK(MakeFolder(out, 0700));
  const std::string stem = source.path.stem().string();
  std::vector<PartFile> parts;
  const auto add = [&](const std::string& name, const Rows& rows) -> Result<void> {
    const std::filesystem::path path = out / (name + ".csv");
    if (path == source.path) return Fail(ErrorId::kConflict, path.string() + ": is the file that is to be split");
    if (context.flags.dry_run) {
      parts.push_back({path, static_cast<std::int64_t>(rows.size())});
      return {};
    }
    OTE_TRY(PartFile part, Write(path, lines, rows));
    parts.push_back(std::move(part));
    return {};
  };
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Rows rows;
    for (const std::int64_t row : shares[i]) rows.push_back(rest[static_cast<std::size_t>(row)]);
    OTE_CHECK(add(options.names.empty() ? fmt::format("{}-{}", stem, i + 1) : options.names[i], rows));
  }
  if (!test.empty()) OTE_CHECK(add("test", test));
  return parts;
}

Command SplitCommand() {
  auto options = std::make_shared<SplitOptions>();
  Command c("split", "cut one file into parts, for trials");
  c.About(
      "Writes the rows of a file to several, evenly or as unevenly as sites are in life: --dirichlet 0.3 gives each "
      "part a few classes mostly, --classes-per-site 2 two classes only. The same seed gives the same parts on every "
      "machine. Needs no agent.");
  c.Argument("FILE", options->file.path, "the file").Completes(Names::kFile);
  AddFileFlags(c, options->file);
  c.Option("--parts", "COUNT", options->parts, "into how many");
  AddShareFlags(c, options->shares);
  c.Option("--seed", "NUMBER", options->seed, "decides which row goes where");
  c.Option("--test-fraction", "FRACTION", options->test_fraction, "first put this part of the rows into test.csv");
  c.Option("--names", "NAMES", options->names, "names of the parts").Fallback("FILE-1, FILE-2, …");
  c.Option("--out", "DIR", options->out, "where the files are written").Completes(Names::kFile);
  c.Example("ote data split digits.csv --label digit --parts 3 --dirichlet 0.3", "three uneven parts");
  c.Example(
      "ote data split digits.csv --label digit --parts 2 --names clinic-a,clinic-b --test-fraction 0.2 --out parts",
      "two, and a common test part");
  c.Exits({Exit::kFailed, Exit::kConflict});
  c.Changes();
  c.Does([options](Context& context) { return Split(context, *options); });
  return c;
}

}  // namespace ote::cli
