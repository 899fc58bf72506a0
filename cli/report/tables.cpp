#include "cli/report/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/report/curves.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

constexpr std::size_t kSites = 50;
constexpr std::size_t kFailures = 100;
constexpr std::size_t kRounds = 120;

// A table that scrolls on a narrow screen. A title that begins with '#' heads a column of numbers.
class Html {
 public:
  explicit Html(const std::vector<std::string>& titles) {
    html_ = "<div class=scroll><table><thead><tr>";
    for (const std::string& title : titles) {
      numbers_.push_back(title.starts_with("#"));
      html_ += fmt::format("<th{}>{}</th>", numbers_.back() ? " class=n" : "",
                           std::string_view(title).substr(numbers_.back() ? 1 : 0));
    }
    html_ += "</tr></thead><tbody>\n";
  }
  // Cells are HTML.
  void Add(const std::vector<std::string>& cells, bool chosen = false) {
    html_ += chosen ? "<tr class=chosen>" : "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      html_ += fmt::format("<td{}>{}</td>", numbers_[i] ? " class=n" : "", cells[i]);
    }
    html_ += "</tr>\n";
  }
  std::string Take() { return std::move(html_) + "</tbody></table></div>\n"; }

 private:
  std::string html_;
  std::vector<bool> numbers_;
};

std::string Left(std::size_t shown, std::size_t all, std::string_view what) {
  return shown == all ? std::string() : fmt::format("<p class=note>{} of {} {} are shown.</p>\n", shown, all, what);
}

std::string Count(std::int64_t value) { return value == 0 ? "–" : fmt::format("{}", value); }

}  // namespace

std::string MeasuredText(const std::optional<double>& value, const MeasureInfo& measure) {
  if (!value) return "–";
  return measure.share ? fmt::format("{:.1f} %", *value * 100) : fmt::format("{:.4g}", *value);
}

std::string SizeText(std::int64_t bytes) {
  return FormatSize(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
}

std::string NameList(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), limit); ++i) text += (i == 0 ? "" : ", ") + EscapeHtml(names[i]);
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
}

std::string FactTable(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string html = "<table class=facts>";
  for (const auto& [name, value] : facts) {
    if (!value.empty()) html += fmt::format("<tr><th scope=row>{}</th><td>{}</td></tr>\n", name, value);
  }
  return html + "</table>\n";
}

std::string ComparisonTable(const std::vector<Comparison>& comparisons) {
  if (comparisons.empty()) return {};
  Html table({"Model", "#Training rows", "#Accuracy"});
  for (const Comparison& row : comparisons) {
    table.Add({EscapeHtml(row.name), std::to_string(row.rows), fmt::format("{:.1f} %", row.accuracy * 100)},
              row.chosen);
  }
  return table.Take();
}

std::string SiteTable(std::vector<SiteTally> sites, const MeasureInfo& measure) {
  if (sites.empty()) return {};
  const auto any = [&](auto&& has) { return std::any_of(sites.begin(), sites.end(), has); };
  const bool personal = any([&](const SiteTally& site) { return measure.Of(site.personal).has_value(); });
  const bool stale = any([](const SiteTally& site) { return site.staleness > 0; });
  const bool timed = any([](const SiteTally& site) { return site.seconds > 0; });
  const bool counted = any([](const SiteTally& site) { return site.bytes_up > 0 || site.bytes_down > 0; });
  const bool trainer = any([](const SiteTally& site) { return !site.trainer.empty() && site.trainer != "builtin"; });
  const std::size_t all = sites.size();
  if (all > kSites) {
    std::stable_sort(sites.begin(), sites.end(), [](const SiteTally& a, const SiteTally& b) {
      return a.failed + a.left_out > b.failed + b.left_out;
    });
    sites.resize(kSites);
  }
  std::vector<std::string> titles = {"Site",    "#Took part", "#Left out",
                                     "#Failed", "#Rows",      "#" + std::string(measure.name)};
  if (personal) titles.emplace_back("#Personal " + std::string(measure.name));
  if (timed) titles.emplace_back("#Seconds");
  if (counted) titles.insert(titles.end(), {"#Up", "#Down"});
  if (stale) titles.emplace_back("#Staleness");
  if (trainer) titles.emplace_back("Trainer");
  Html table(titles);
  for (const SiteTally& site : sites) {
    std::vector<std::string> cells = {EscapeHtml(site.name), Count(site.took_part),
                                      Count(site.left_out),  Count(site.failed),
                                      Count(site.examples),  MeasuredText(measure.Of(site.metrics), measure)};
    if (personal) cells.push_back(MeasuredText(measure.Of(site.personal), measure));
    if (timed) cells.push_back(fmt::format("{:.2f}", site.seconds));
    if (counted) {
      cells.push_back(SizeText(site.bytes_up));
      cells.push_back(SizeText(site.bytes_down));
    }
    if (stale) cells.push_back(Count(site.staleness));
    if (trainer) cells.push_back(EscapeHtml(site.trainer));
    table.Add(cells);
  }
  return table.Take() + Left(sites.size(), all, "sites, those that were missing most,");
}

std::string FailureTable(const std::vector<FailureTally>& failures) {
  if (failures.empty()) return {};
  Html table({"Site", "Phase", "Cause", "What to try", "#Times", "Rounds"});
  const std::size_t shown = std::min(failures.size(), kFailures);
  for (std::size_t i = 0; i < shown; ++i) {
    const FailureTally& tally = failures[i];
    const auto& [name, phase, code, message, hint] = tally.last;
    table.Add({EscapeHtml(name), EscapeHtml(phase),
               EscapeHtml(message) + (code.empty() ? "" : fmt::format(" <code>{}</code>", EscapeHtml(code))),
               EscapeHtml(hint), std::to_string(tally.count),
               tally.first_round == tally.last_round ? fmt::format("{}", tally.first_round)
                                                     : fmt::format("{} to {}", tally.first_round, tally.last_round)});
  }
  return table.Take() + Left(shown, failures.size(), "causes");
}

std::string RoundTable(const api::Run& run, const MeasureInfo& measure) {
  if (run.rounds.empty()) return {};
  const std::size_t all = run.rounds.size();
  const auto best = BestOf(run, measure);
  const std::int64_t best_round = run.best_round > 0 ? run.best_round : best ? best->round : 0;
  const std::size_t every = all > kRounds ? (all + kRounds / 2 - 1) / (kRounds / 2) : 1;
  const bool failed =
      std::any_of(run.rounds.begin(), run.rounds.end(), [](const api::Round& round) { return !round.failed.empty(); });
  const bool rated = std::any_of(run.rounds.begin(), run.rounds.end(),
                                 [](const api::Round& round) { return round.learning_rate > 0; });
  std::vector<std::string> titles = {"#Round", "Took part", "Left out"};
  if (failed) titles.emplace_back("Failed");
  titles.push_back("#" + std::string(measure.name));
  titles.emplace_back("#Loss");
  if (rated) titles.emplace_back("#Rate");
  titles.insert(titles.end(), {"#Seconds", "#Up", "#Down"});
  Html table(titles);
  std::size_t shown = 0;
  for (std::size_t i = 0; i < all; ++i) {
    const api::Round& round = run.rounds[i];
    const bool missing = (!round.left_out.empty() || !round.failed.empty()) && shown < 2 * kRounds;
    if (i % every != 0 && i + 1 != all && round.round != best_round && !missing) continue;
    ++shown;
    std::vector<std::string> cells = {std::to_string(round.round), NameList(round.participants),
                                      NameList(LateSites(round))};
    if (failed) {
      std::vector<std::string> names;
      for (const api::SiteFailure& failure : round.failed) names.push_back(failure.name);
      cells.push_back(NameList(names));
    }
    cells.push_back(MeasuredText(measure.Of(round.metrics), measure));
    cells.push_back(MeasuredText(round.metrics.loss, InfoOf(api::Measure::kLoss)));
    if (rated) cells.push_back(round.learning_rate > 0 ? fmt::format("{:.3g}", round.learning_rate) : "–");
    cells.push_back(fmt::format("{:.2f}", round.seconds));
    cells.push_back(SizeText(round.bytes_up));
    cells.push_back(SizeText(round.bytes_down));
    table.Add(cells, round.round == best_round);
  }
  return table.Take() + Left(shown, all, "rounds; ote fl metrics gives all of them, and they") +
         (best_round > 0 ? fmt::format("<p class=note>Round {} did best.</p>\n", best_round) : std::string());
}

std::string RefusalTable(const std::vector<api::Refusal>& refusals) {
  if (refusals.empty()) return {};
  Html table({"Reason", "#Times", "Last from", "Last"});
  for (const api::Refusal& refusal : refusals) {
    table.Add({fmt::format("<code>{}</code>", EscapeHtml(refusal.reason)), std::to_string(refusal.count),
               EscapeHtml(refusal.last_cluster), EscapeHtml(refusal.last_message)});
  }
  return table.Take();
}

}  // namespace ote::cli
