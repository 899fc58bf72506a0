#include "cli/report/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "cli/report/curves.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

// "training.schedule.kind": the value as it stands in a run file. A list is one value.
void Flatten(const Json& json, const std::string& at, std::map<std::string, std::string>& out) {
  if (!json.is_object() || at == "sites.selector") {
    out[at] = json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  for (const auto& [key, value] : json.items()) Flatten(value, at.empty() ? key : at + "." + key, out);
}

std::string NameOfRun(const api::Run& run) { return run.spec.name.empty() ? run.id : run.spec.name; }

// Those that took part in any round.
std::int64_t Participants(const api::Run& run) {
  std::set<std::string> names;
  for (const api::Round& round : run.rounds) names.insert(round.participants.begin(), round.participants.end());
  return static_cast<std::int64_t>(names.size());
}

std::string SizeOf(std::int64_t bytes) {
  return FormatSize(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
}

}  // namespace

std::vector<Difference> Differences(const std::vector<api::Run>& runs) {
  std::vector<std::map<std::string, std::string>> all(runs.size());
  std::set<std::string> settings;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Flatten(ToJson(runs[i].spec), "", all[i]);
    for (const auto& [setting, value] : all[i]) settings.insert(setting);
  }
  settings.erase("name");
  std::vector<Difference> out;
  for (const std::string& setting : settings) {
    Difference difference{setting, {}};
    for (auto& values : all) difference.values.push_back(values[setting]);
    const auto& first = difference.values.front();
    if (std::any_of(difference.values.begin(), difference.values.end(),
                    [&](const std::string& value) { return value != first; })) {
      out.push_back(std::move(difference));
    }
  }
  return out;
}

Table CompareTable(const std::vector<api::Run>& runs) {
  std::vector<Table::Column> columns = {{""}};
  for (const api::Run& run : runs) columns.push_back({NameOfRun(run)});
  Table table(std::move(columns));
  const auto add = [&](const std::string& name, const std::function<std::string(const api::Run&)>& of) {
    std::vector<std::string> cells = {name};
    for (const api::Run& run : runs) cells.push_back(of(run));
    // A row in which nobody has anything says nothing.
    if (std::any_of(cells.begin() + 1, cells.end(), [](const std::string& cell) { return !cell.empty(); })) {
      table.Add(std::move(cells));
    }
  };
  for (Difference& difference : Differences(runs)) {
    std::vector<std::string> cells = {difference.setting};
    std::move(difference.values.begin(), difference.values.end(), std::back_inserter(cells));
    table.Add(std::move(cells));
  }
  add("status", [](const api::Run& run) { return std::string(NameOf(run.status)); });
  for (const MeasureInfo& measure : AllMeasures()) {
    add("final " + std::string(measure.name), [&](const api::Run& run) {
      const auto value = measure.Of(run.metrics);
      return value ? Number(*value) : std::string();
    });
    add("best " + std::string(measure.name), [&](const api::Run& run) {
      const auto best = BestOf(run, measure);
      return best ? fmt::format("{} in round {}", Number(best->value), best->round) : std::string();
    });
  }
  add("rounds", [](const api::Run& run) { return std::to_string(run.rounds.size()); });
  add("participants", [](const api::Run& run) { return std::to_string(Participants(run)); });
  add("bytes up", [](const api::Run& run) { return SizeOf(TotalsOf(run).bytes_up); });
  add("bytes down", [](const api::Run& run) { return SizeOf(TotalsOf(run).bytes_down); });
  add("seconds", [](const api::Run& run) { return Number(TotalsOf(run).seconds, 2); });
  add("digest", [](const api::Run& run) { return Short(run.model.digest); });
  return table;
}

Json CompareJson(const std::vector<api::Run>& runs) {
  const auto differences = Differences(runs);
  Json items = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const api::Run& run = runs[i];
    const Totals totals = TotalsOf(run);
    Json settings = Json::object();
    const Json spec = ToJson(run.spec);
    for (const Difference& difference : differences) {
      std::string pointer = "/" + difference.setting;
      std::replace(pointer.begin(), pointer.end(), '.', '/');
      const Json::json_pointer at(pointer);
      settings[difference.setting] = spec.contains(at) ? spec[at] : Json();
    }
    Json best = Json::object();
    for (const MeasureInfo& measure : AllMeasures()) {
      if (const auto found = BestOf(run, measure)) {
        best[std::string(measure.name)] = {{"round", found->round}, {"value", found->value}};
      }
    }
    items.push_back({{"id", run.id},
                     {"name", run.spec.name},
                     {"status", NameOf(run.status)},
                     {"settings", settings},
                     {"metrics", ToJson(run.metrics)},
                     {"best", best},
                     {"rounds", run.rounds.size()},
                     {"participants", Participants(run)},
                     {"bytesUp", totals.bytes_up},
                     {"bytesDown", totals.bytes_down},
                     {"seconds", totals.seconds},
                     {"digest", run.model.digest}});
  }
  return {{"runs", items}};
}

Chart CompareChart(const std::vector<api::Run>& runs, std::optional<api::Measure> measure) {
  const MeasureInfo& info = measure ? InfoOf(*measure) : MainMeasure(runs.front());
  const std::string name(info.name);
  Chart chart{name + " on the sites' own held-out rows", "round", name, UnitOf(info), {}};
  for (const api::Run& run : runs) chart.series.push_back(CurveOf(run, info, NameOfRun(run)));
  return chart;
}

}  // namespace ote::cli
