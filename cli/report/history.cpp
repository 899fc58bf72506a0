#include "cli/report/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/frame/report.h"
#include "cli/report/tally.h"

namespace ote::cli {
namespace {

Json Value(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json Text(const std::string& text) { return text.empty() ? Json() : Json(text); }

void AddMetrics(Json& row, const api::Metrics& metrics) {
  row["rows"] = metrics.rows > 0 ? Json(metrics.rows) : Json();
  for (const MeasureInfo& measure : AllMeasures()) {
    const auto value = measure.Of(metrics);
    row[std::string(measure.name)] = value ? Value(*value) : Json();
  }
}

Json RoundRow(const api::Run& run, const api::Round& round) {
  double loss = 0;
  std::int64_t examples = 0;
  for (const api::RoundSite& site : round.sites) {
    loss += site.train_loss * static_cast<double>(site.examples);
    examples += site.examples;
  }
  Json row = {{"run", run.id},
              {"round", round.round},
              {"participants", round.participants.size()},
              {"leftOut", LateSites(round).size()},
              {"failed", round.failed.size()},
              {"examples", examples},
              {"trainLoss", examples > 0 ? Value(loss / static_cast<double>(examples)) : Json()},
              {"learningRate", round.learning_rate > 0 ? Value(round.learning_rate) : Json()},
              {"seconds", Value(round.seconds)},
              {"aggregateSeconds", Value(round.aggregate_seconds)},
              {"bytesUp", round.bytes_up},
              {"bytesDown", round.bytes_down},
              {"startedAt", round.started_at},
              {"finishedAt", round.finished_at},
              {"model", Text(round.model_digest)}};
  AddMetrics(row, round.metrics);
  return row;
}

Json SiteRow(const api::Run& run, const api::Round& round, const std::string& name, std::string_view part) {
  Json row = Json::object();
  for (const HistoryColumn& column : HistoryColumns(HistoryOf::kSites)) row[std::string(column.name)] = nullptr;
  row["run"] = run.id;
  row["round"] = round.round;
  row["site"] = name;
  row["part"] = part;
  return row;
}

void AddSite(Json& row, const api::RoundSite& site) {
  row["examples"] = site.examples;
  row["trainLoss"] = Value(site.train_loss);
  AddMetrics(row, site.metrics);
  for (const MeasureInfo& measure : AllMeasures()) {
    if (const auto value = measure.Of(site.personal)) row["personal." + std::string(measure.name)] = Value(*value);
  }
  row["steps"] = Value(site.steps);
  row["seconds"] = Value(site.seconds);
  row["wait"] = Value(site.phases.wait);
  row["fetch"] = Value(site.phases.fetch);
  row["prepare"] = Value(site.phases.prepare);
  row["measure"] = Value(site.phases.measure);
  row["train"] = Value(site.phases.train);
  row["bytesUp"] = site.bytes_up;
  row["bytesDown"] = site.bytes_down;
  row["staleness"] = site.staleness;
  row["trainer"] = Text(site.trainer);
  row["update"] = Text(site.digest);
}

void AddSiteRows(const api::Run& run, const api::Round& round, std::vector<Json>& rows) {
  std::map<std::string, Json> sites;
  const auto of = [&](const std::string& name, std::string_view part) -> Json& {
    return sites[name] = SiteRow(run, round, name, part);
  };
  for (const std::string& name : round.participants) of(name, "took-part");
  for (const std::string& name : round.left_out) of(name, "left-out");
  for (const api::SiteFailure& failure : round.failed) {
    Json& row = of(failure.name, "failed");
    row["phase"] = Text(failure.phase);
    row["code"] = Text(failure.code);
    row["message"] = Text(Printable(failure.message));
  }
  for (const api::RoundSite& site : round.sites) {
    const auto known = sites.find(site.name);
    AddSite(known == sites.end() ? of(site.name, "measured") : known->second, site);
  }
  for (auto& [name, row] : sites) rows.push_back(std::move(row));
}

std::string CsvCell(const Json& value) {
  if (value.is_null()) return {};
  if (!value.is_string()) return value.dump();
  std::string text = value.get<std::string>();
  if (!text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos) text.insert(0, "'");
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

// "learningRate" as a heading: "LEARNING RATE".
std::string Title(std::string_view name) {
  std::string title;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') title += ' ';
    title += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c == '.' ? ' ' : c);
  }
  return title;
}

std::string TableCell(const Json& value, HistoryColumn::Holds holds) {
  if (value.is_null()) return {};
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  return holds == HistoryColumn::Holds::kDigest ? Short(text) : text;
}

}  // namespace

const std::vector<HistoryColumn>& HistoryColumns(HistoryOf what) {
  using Holds = HistoryColumn::Holds;
  static const std::vector<HistoryColumn> rounds = {{"run", true, Holds::kText},
                                                    {"round"},
                                                    {"participants"},
                                                    {"leftOut"},
                                                    {"failed"},
                                                    {"examples", true},
                                                    {"rows", true},
                                                    {"accuracy"},
                                                    {"auc"},
                                                    {"rmse"},
                                                    {"loss"},
                                                    {"trainLoss"},
                                                    {"learningRate"},
                                                    {"seconds"},
                                                    {"aggregateSeconds", true},
                                                    {"bytesUp"},
                                                    {"bytesDown"},
                                                    {"startedAt", true},
                                                    {"finishedAt", true},
                                                    {"model", true, Holds::kDigest}};
  static const std::vector<HistoryColumn> sites = {{"run", true, Holds::kText},
                                                   {"round"},
                                                   {"site", false, Holds::kText},
                                                   {"part", false, Holds::kText},
                                                   {"examples"},
                                                   {"rows", true},
                                                   {"accuracy"},
                                                   {"auc"},
                                                   {"rmse"},
                                                   {"loss"},
                                                   {"personal.accuracy"},
                                                   {"personal.auc"},
                                                   {"personal.rmse"},
                                                   {"personal.loss"},
                                                   {"trainLoss"},
                                                   {"steps", true},
                                                   {"seconds"},
                                                   {"wait", true},
                                                   {"fetch", true},
                                                   {"prepare", true},
                                                   {"measure", true},
                                                   {"train", true},
                                                   {"bytesUp", true},
                                                   {"bytesDown", true},
                                                   {"staleness", true},
                                                   {"trainer", true, Holds::kText},
                                                   {"update", true, Holds::kDigest},
                                                   {"phase", false, Holds::kText},
                                                   {"code", false, Holds::kText},
                                                   {"message", false, Holds::kText}};
  return what == HistoryOf::kRounds ? rounds : sites;
}

std::vector<Json> History(const api::Run& run, HistoryOf what) {
  std::vector<Json> rows;
  for (const api::Round& round : run.rounds) {
    if (what == HistoryOf::kRounds) {
      rows.push_back(RoundRow(run, round));
    } else {
      AddSiteRows(run, round, rows);
    }
  }
  return rows;
}

std::string HistoryCsv(const std::vector<Json>& rows, HistoryOf what) {
  const auto& columns = HistoryColumns(what);
  std::string csv;
  for (const HistoryColumn& column : columns) csv += fmt::format("{}{}", csv.empty() ? "" : ",", column.name);
  csv += "\n";
  for (const Json& row : rows) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) csv += ',';
      csv += CsvCell(row.at(std::string(columns[i].name)));
    }
    csv += "\n";
  }
  return csv;
}

Table HistoryTable(const std::vector<Json>& rows, HistoryOf what) {
  std::vector<HistoryColumn> shown;
  std::vector<Table::Column> heads;
  for (const HistoryColumn& column : HistoryColumns(what)) {
    // A column without a value anywhere would only take room.
    const std::string name(column.name);
    if (std::all_of(rows.begin(), rows.end(), [&](const Json& row) { return row.at(name).is_null(); })) continue;
    shown.push_back(column);
    heads.push_back({Title(name), column.wide, column.holds == HistoryColumn::Holds::kNumber});
  }
  Table table(std::move(heads));
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const HistoryColumn& column : shown) {
      cells.push_back(TableCell(row.at(std::string(column.name)), column.holds));
    }
    table.Add(std::move(cells));
  }
  return table;
}

}  // namespace ote::cli
