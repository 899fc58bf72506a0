#include "cli/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/report/chart.h"
#include "core/base/units.h"
#include "core/base/version.h"

namespace ote::cli {
namespace {

constexpr std::string_view kStyle = R"(
:root{--ink:#1b1f24;--soft:#5b6570;--rule:#d9dee3;--paper:#fff;--mark:#eef4fb;
--s0:#0b62c4;--s1:#c2571a;--s2:#1f8a5b;--s3:#8b3fb0;--s4:#b08900;--s5:#c22f5f;--s6:#3d7f8f;--s7:#6b6b6b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--rule:#39414a;--paper:#15191d;--mark:#1d2834;
--s0:#6aaeff;--s1:#ff9c63;--s2:#5fd39b;--s3:#cf93ee;--s4:#e6c44a;--s5:#ff7fa6;--s6:#78c3d4;--s7:#a8a8a8}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:54rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}p.note{color:var(--soft);margin-top:0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top}
td.n,th.n{text-align:right}tr.chosen{background:var(--mark);font-weight:600}
svg{width:100%;height:auto;margin:.5rem 0}svg text{fill:var(--ink);font-family:inherit}
.tick{font-size:11px;fill:var(--soft)!important}.end{text-anchor:end}.mid{text-anchor:middle}.heading{font-size:13px;font-weight:600}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}
code{font-size:.9em;overflow-wrap:anywhere}.scroll{overflow-x:auto})";

std::string Percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f} %", *value * 100) : std::string("–");
}

// What a run measures itself by: accuracy for classes, RMSE for values.
struct Measure {
  std::string name;
  bool percent;
  std::optional<double> api::Metrics::*field;
};
Measure MainMeasure(const api::Run& run) {
  if (run.spec.task == api::DataTask::kRegression) return {"RMSE", false, &api::Metrics::rmse};
  return {"accuracy", true, &api::Metrics::accuracy};
}

Chart Curves(const ReportInput& input, const Measure& measure) {
  Chart chart{measure.name + " on the sites' own held-out rows", "round", measure.name, measure.percent, {}};
  Series overall{"federated", {}, false};
  std::map<std::string, Series> sites;
  for (const auto& round : input.run.rounds) {
    if (const auto value = round.metrics.*measure.field) overall.points.emplace_back(round.round, *value);
    for (const auto& site : round.sites) {
      // A site measures the model that it is given, which is the one of the round before.
      auto& series = sites.try_emplace(site.name, Series{site.name, {}, false}).first->second;
      if (const auto value = site.metrics.*measure.field; value && round.round > 1) {
        series.points.emplace_back(round.round - 1, *value);
      }
    }
  }
  chart.series.push_back(std::move(overall));
  for (auto& [name, series] : sites) {
    if (chart.series.size() <= 6) chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart LossCurve(const api::Run& run) {
  Chart chart{"Loss", "round", "loss", false, {{"held-out rows", {}, false}, {"while training", {}, false}}};
  for (const auto& round : run.rounds) {
    if (round.metrics.loss) chart.series[0].points.emplace_back(round.round, *round.metrics.loss);
    double sum = 0;
    double weight = 0;
    for (const auto& site : round.sites) {
      sum += site.train_loss * static_cast<double>(site.examples);
      weight += static_cast<double>(site.examples);
    }
    if (weight > 0) chart.series[1].points.emplace_back(round.round, sum / weight);
  }
  return chart;
}

std::string ComparisonTable(const std::vector<Comparison>& comparisons) {
  std::string html = "<table><tr><th>Model</th><th class=n>Training rows</th><th class=n>Accuracy</th></tr>\n";
  for (const auto& row : comparisons) {
    html += fmt::format("<tr{}><td>{}</td><td class=n>{}</td><td class=n>{}</td></tr>\n",
                        row.chosen ? " class=chosen" : "", EscapeHtml(row.name), row.rows, Percent(row.accuracy));
  }
  return html + "</table>\n";
}

std::string Names(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + EscapeHtml(names[i]);
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

std::string RoundTable(const api::Run& run, const Measure& measure) {
  std::string html = fmt::format(
      "<div class=scroll><table><tr><th class=n>Round</th><th>Took part</th><th>Left out</th><th class=n>{}</th>"
      "<th class=n>Seconds</th><th class=n>Up</th><th class=n>Down</th></tr>\n",
      measure.name);
  for (const auto& round : run.rounds) {
    const auto value = round.metrics.*measure.field;
    html += fmt::format(
        "<tr><td class=n>{}</td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{:.2f}</td><td class=n>{}</td>"
        "<td class=n>{}</td></tr>\n",
        round.round, Names(round.participants), Names(round.left_out),
        measure.percent ? Percent(value) : (value ? fmt::format("{:.4g}", *value) : "–"), round.seconds,
        FormatSize(static_cast<std::uint64_t>(std::max<std::int64_t>(round.bytes_up, 0))),
        FormatSize(static_cast<std::uint64_t>(std::max<std::int64_t>(round.bytes_down, 0))));
  }
  return html + "</table></div>\n";
}

std::string RefusalTable(const std::vector<api::Refusal>& refusals) {
  if (refusals.empty()) return {};
  std::string html = "<h2>Refused</h2>\n<table><tr><th>Reason</th><th class=n>Times</th><th>Last</th></tr>\n";
  for (const auto& refusal : refusals) {
    html += fmt::format("<tr><td>{}</td><td class=n>{}</td><td>{}: {}</td></tr>\n", EscapeHtml(refusal.reason),
                        refusal.count, EscapeHtml(refusal.last_cluster), EscapeHtml(refusal.last_message));
  }
  return html + "</table>\n";
}

}  // namespace

std::string RenderReport(const ReportInput& input) {
  const auto& run = input.run;
  const Measure measure = MainMeasure(run);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n"
      "<title>{0}</title><style>{1}</style>\n<h1>{0}</h1>\n",
      EscapeHtml(input.title), kStyle);
  if (!input.note.empty()) html += fmt::format("<p class=note>{}</p>\n", EscapeHtml(input.note));
  if (!input.comparisons.empty()) {
    html += "<h2>On the same test rows</h2>\n" + ComparisonTable(input.comparisons);
  }
  html += "<h2>Learning curves</h2>\n" + RenderSvg(Curves(input, measure)) + RenderSvg(LossCurve(run));
  html += "<h2>Rounds</h2>\n" + RoundTable(run, measure) + RefusalTable(run.refused);
  html += fmt::format(
      "<h2>The run</h2>\n<table><tr><th>Run</th><td>{}</td></tr><tr><th>Status</th><td>{}</td></tr>"
      "<tr><th>Model</th><td>{} parameters, {}<br><code>{}</code></td></tr></table>\n",
      EscapeHtml(run.id), NameOf(run.status), run.model.parameters,
      FormatSize(static_cast<std::uint64_t>(std::max<std::int64_t>(run.model.size, 0))), EscapeHtml(run.model.digest));
  html += fmt::format("<pre><code>{}</code></pre>\n", EscapeHtml(DumpYaml(ToJson(run.spec))));
  html += fmt::format(
      "<p class=note>Made by ote {} on {}. The digest is that of the model's file: "
      "<code>b2sum -l 256 model.safetensors</code>.</p>\n</html>\n",
      Version(), FormatTime(run.finished_at));
  return html;
}

}  // namespace ote::cli
