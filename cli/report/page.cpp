#include "cli/report/page.h"

#include <fmt/format.h>

#include "cli/report/bars.h"
#include "cli/report/curves.h"
#include "cli/report/tables.h"
#include "core/base/units.h"
#include "core/base/version.h"

namespace ote::cli {
namespace {

// Beside ChartStyle() and BarStyle().
constexpr std::string_view kStyle = R"(
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:58rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2.2rem 0 .4rem}
p.note{color:var(--soft);margin:.2rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92em}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
th{overflow-wrap:normal}td.n,th.n{text-align:right;white-space:nowrap}tr.chosen{background:var(--mark);font-weight:600}
.facts{width:auto}.facts th{font-weight:400;color:var(--soft);white-space:nowrap}
svg{display:block;width:100%;height:auto;margin:.8rem 0}
dl{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.2rem 0}dl div{border:1px solid var(--rule);border-radius:.4rem;padding:.4rem .9rem}
dt{color:var(--soft);font-size:.82em}dd{margin:0;font-size:1.15rem;font-weight:600}
code{font-size:.9em;overflow-wrap:anywhere}pre{overflow-x:auto}.scroll{overflow-x:auto}
@media print{body{margin:0;max-width:none;font-size:11pt}.scroll,pre{overflow:visible}pre{white-space:pre-wrap}
svg,tr,dl div{break-inside:avoid}h2{break-after:avoid}thead{display:table-header-group}}
)";

std::string Tile(std::string_view name, const std::string& value) {
  return value.empty() ? std::string() : fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string Glance(const api::Run& run, const MeasureInfo& measure, const std::vector<SiteTally>& sites,
                   const std::vector<FailureTally>& failures) {
  const Totals totals = TotalsOf(run);
  const auto best = BestOf(run, measure);
  std::string html = "<dl>" + Tile("Status", std::string(NameOf(run.status)));
  html += Tile("Rounds", static_cast<std::int64_t>(run.rounds.size()) == run.planned_rounds
                             ? fmt::format("{}", run.rounds.size())
                             : fmt::format("{} of {}", run.rounds.size(), run.planned_rounds));
  html += Tile("Sites", fmt::format("{}", sites.size()));
  const auto last = measure.Of(run.metrics);
  if (last) html += Tile(fmt::format("Final {}", measure.name), MeasuredText(last, measure));
  if (best) {
    html += Tile(fmt::format("Best {}", measure.name),
                 fmt::format("{} in round {}", MeasuredText(best->value, measure), best->round));
  }
  html += Tile(
      "Time",
      FormatDuration(std::chrono::milliseconds(std::chrono::seconds(static_cast<std::int64_t>(totals.seconds + 0.5)))));
  html += Tile("Up", SizeText(totals.bytes_up)) + Tile("Down", SizeText(totals.bytes_down));
  std::int64_t times = 0;
  for (const FailureTally& tally : failures) times += tally.count;
  if (times > 0) html += Tile("Failures", fmt::format("{}", times));
  return html + "</dl>\n";
}

std::string Section(std::string_view title, const std::string& content) {
  return content.empty() ? std::string() : fmt::format("<h2>{}</h2>\n", title) + content;
}

std::string Code(const std::string& text) {
  return text.empty() ? std::string() : fmt::format("<code>{}</code>", EscapeHtml(text));
}

// What the model came from, and where it went.
std::string Lineage(const api::Run& run, const std::vector<SiteTally>& sites) {
  std::vector<std::string> names;
  for (const SiteTally& site : sites) {
    if (site.took_part > 0) names.push_back(site.name);
  }
  std::string checkpoints;
  for (const api::Checkpoint& checkpoint : run.checkpoints) {
    checkpoints += fmt::format("{}round {}, {} <code>{}</code>", checkpoints.empty() ? "" : "<br>", checkpoint.round,
                               SizeText(checkpoint.size), EscapeHtml(checkpoint.digest));
  }
  std::string model;
  if (!run.model.digest.empty()) {
    model =
        fmt::format("{} parameters, {}<br>{}", run.model.parameters, SizeText(run.model.size), Code(run.model.digest));
  }
  std::string from;
  if (!run.from_digest.empty() || !run.spec.from.empty()) {
    from = EscapeHtml(run.spec.from) + " " + (run.from_digest == run.spec.from ? "" : Code(run.from_digest));
  }
  return FactTable(
      {{"Run", EscapeHtml(run.id)},
       {"Status", fmt::format("{}{}{}", NameOf(run.status), run.message.empty() ? "" : ": ", EscapeHtml(run.message))},
       {"Model", model},
       {"Started from", from},
       {"Trained on", EscapeHtml(run.spec.dataset) + (names.empty() ? "" : " at " + NameList(names, 30))},
       {"Best round", run.best_round > 0 ? fmt::format("{}", run.best_round) : ""},
       {"Checkpoints", checkpoints},
       {"Taken up again", run.resumed > 0 ? fmt::format("{} times", run.resumed) : ""},
       {"Begun", run.created_at > 0 ? FormatTime(run.created_at) : ""},
       {"Ended", run.finished_at > 0 ? FormatTime(run.finished_at) : ""}});
}

std::string Curves(const api::Run& run, const MeasureInfo& measure) {
  std::string html = CurveOf(run, measure, "").points.empty() ? "<p class=note>No model was measured yet.</p>\n"
                                                              : MeasureChart(run, measure);
  // AUC tells what accuracy hides when one class is rare.
  const MeasureInfo& auc = InfoOf(api::Measure::kAuc);
  if (measure.kind != auc.kind && !CurveOf(run, auc, "").points.empty()) html += MeasureChart(run, auc);
  return html + LossChart(run) + RateChart(run);
}

}  // namespace

std::string RenderReport(const ReportInput& input) {
  const api::Run& run = input.run;
  const MeasureInfo& measure = MainMeasure(run);
  const auto sites = TallySites(run);
  const auto failures = TallyFailures(run);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n"
      "<title>{0}</title><style>{1}{2}{3}</style></head><body>\n<h1>{0}</h1>\n",
      EscapeHtml(input.title), ChartStyle(), BarStyle(), kStyle);
  if (!input.note.empty()) html += fmt::format("<p class=note>{}</p>\n", EscapeHtml(input.note));
  html += Glance(run, measure, sites, failures);
  html += Section("On the same test rows", ComparisonTable(input.comparisons));
  html += Section("Learning curves", Curves(run, measure));
  html += Section("Who took part", ParticipationSvg(run, sites) + SiteTable(sites, measure));
  html += Section("Failures", FailureTable(failures));
  html += Section("Refused updates", RefusalTable(run.refused));
  html += Section("Time and bytes", SecondsChart(run) + PhasesSvg(sites) + BytesChart(run));
  html += Section("Rounds", RoundTable(run, measure));
  html += Section("Where the model comes from", Lineage(run, sites));
  html += Section("Settings", fmt::format("<pre><code>{}</code></pre>\n", EscapeHtml(DumpYaml(ToJson(run.spec)))));
  html += fmt::format(
      "<p class=note>Made by ote {}. The digest is that of the model's file: "
      "<code>b2sum -l 256 model.safetensors</code>.</p>\n</body></html>\n",
      Version());
  return html;
}

}  // namespace ote::cli
