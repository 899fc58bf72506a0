#include "cli/report/bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/report/chart.h"

namespace ote::cli {
namespace {

constexpr double kWidth = 720;
constexpr double kNames = 150;  // where the names of sites stand
constexpr double kRow = 18;
constexpr double kTop = 30;
constexpr std::size_t kNameLimit = 20;
constexpr std::size_t kGridSites = 40;
constexpr std::size_t kGridRounds = 120;
constexpr std::size_t kBars = 20;

std::string Open(double height, std::string_view title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n"
      "<text class=\"heading\" x=\"0\" y=\"16\">{}</text>\n",
      kWidth, height, title, title, title);
}

std::string NameAt(const std::string& name, double y) {
  return fmt::format("<text class=\"tick end\" x=\"{:g}\" y=\"{:g}\"><title>{}</title>{}</text>", kNames - 8, y + 12,
                     EscapeHtml(name), EscapeHtml(Clip(name, kNameLimit)));
}

enum class Part { kNone, kTook, kLeftOut, kFailed };

// Each is a shape of its own: full, a frame, a frame with a cross.
std::string Cell(Part part, double x, double y, double width, std::string_view title) {
  const double side = std::max(width - 2, 1.0);
  const double high = kRow - 4;
  std::string shape;
  switch (part) {
    case Part::kTook:
      shape = fmt::format("<rect class=\"took\" x=\"{:.1f}\" y=\"{:g}\" width=\"{:.1f}\" height=\"{:g}\"/>", x + 1,
                          y + 2, side, high);
      break;
    case Part::kLeftOut:
      shape = fmt::format("<rect class=\"left\" x=\"{:.1f}\" y=\"{:g}\" width=\"{:.1f}\" height=\"{:g}\"/>", x + 1.5,
                          y + 2.5, std::max(side - 1, 0.5), high - 1);
      break;
    case Part::kFailed:
      shape = fmt::format(
          "<rect class=\"fail\" x=\"{0:.1f}\" y=\"{1:g}\" width=\"{2:.1f}\" height=\"{3:g}\"/>"
          "<path class=\"cross\" d=\"M{0:.1f} {1:g}l{2:.1f} {3:g}m0 -{3:g}l-{2:.1f} {3:g}\"/>",
          x + 1.5, y + 2.5, std::max(side - 1, 0.5), high - 1);
      break;
    case Part::kNone:
      return fmt::format("<circle class=\"none\" cx=\"{:.1f}\" cy=\"{:g}\" r=\"1\"/>", x + width / 2, y + kRow / 2);
  }
  return fmt::format("<g><title>{}</title>{}</g>", title, shape);
}

std::string Grid(const api::Run& run, const std::vector<SiteTally>& sites) {
  const auto rows = static_cast<double>(sites.size());
  const double height = kTop + rows * kRow + 56;
  const double cell = std::min((kWidth - kNames) / static_cast<double>(run.rounds.size()), 24.0);
  std::map<std::string, double> tops;
  std::string svg = Open(height, "Sites by round");
  for (const SiteTally& site : sites) {
    const double y = kTop + kRow * static_cast<double>(tops.size());
    tops.emplace(site.name, y);
    svg += NameAt(site.name, y) + "\n";
  }
  const std::size_t every = std::max<std::size_t>(1, (run.rounds.size() + 19) / 20);
  for (std::size_t i = 0; i < run.rounds.size(); ++i) {
    const api::Round& round = run.rounds[i];
    const double x = kNames + cell * static_cast<double>(i);
    std::map<std::string, std::pair<Part, std::string>> parts;
    for (const auto& name : round.participants) parts[name] = {Part::kTook, "took part"};
    for (const auto& name : round.left_out) parts[name] = {Part::kLeftOut, "left out"};
    for (const auto& failure : round.failed) {
      parts[failure.name] = {Part::kFailed, "failed: " + EscapeHtml(Clip(failure.message, 120))};
    }
    for (const auto& [name, y] : tops) {
      const auto& [part, what] = parts[name];
      svg += Cell(part, x, y, cell, fmt::format("round {}, {}: {}", round.round, EscapeHtml(name), what));
    }
    if (i % every == 0) {
      svg += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:g}\">{}</text>", x + cell / 2,
                         kTop + rows * kRow + 14, round.round);
    }
    svg += "\n";
  }
  double x = kNames;
  const double y = height - kRow - 6;
  for (const auto& [part, what] :
       {std::pair(Part::kTook, "took part"), std::pair(Part::kLeftOut, "left out: not in time"),
        std::pair(Part::kFailed, "failed"), std::pair(Part::kNone, "not asked")}) {
    svg += Cell(part, x, y, 16, what) +
           fmt::format("<text class=\"tick\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", x + 21, y + 12, what);
    x += part == Part::kLeftOut ? 160 : 100;
  }
  return svg + "</svg>\n";
}

std::string Counts(const api::Run& run) {
  Chart chart{"Sites by round", "round", "sites", Unit::kNumber, {{"took part", {}}, {"left out", {}}, {"failed", {}}}};
  for (const api::Round& round : run.rounds) {
    const auto add = [&](std::size_t i, std::size_t count) {
      chart.series[i].points.emplace_back(round.round, static_cast<double>(count));
    };
    add(0, round.participants.size());
    add(1, LateSites(round).size());
    add(2, round.failed.size());
  }
  return RenderSvg(chart);
}

struct Phase {
  std::string_view name;
  double api::Phases::*field;
};
constexpr Phase kPhases[] = {{"wait for the worker", &api::Phases::wait},
                             {"fetch the model", &api::Phases::fetch},
                             {"prepare the rows", &api::Phases::prepare},
                             {"measure", &api::Phases::measure},
                             {"train", &api::Phases::train}};

}  // namespace

std::string ParticipationSvg(const api::Run& run, const std::vector<SiteTally>& sites) {
  if (run.rounds.empty() || sites.empty()) return {};
  return sites.size() > kGridSites || run.rounds.size() > kGridRounds ? Counts(run) : Grid(run, sites);
}

std::string PhasesSvg(const std::vector<SiteTally>& sites) {
  std::vector<std::pair<double, const SiteTally*>> bars;
  for (const SiteTally& site : sites) {
    if (site.took_part > 0 && SumOf(site.phases) > 0) {
      bars.emplace_back(SumOf(site.phases) / static_cast<double>(site.took_part), &site);
    }
  }
  if (bars.empty()) return {};
  const std::size_t all = bars.size();
  std::stable_sort(bars.begin(), bars.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (all > kBars) bars.resize(kBars);
  const double scale = (kWidth - kNames - 70) / bars.front().first;
  const double height = kTop + kRow * static_cast<double>(bars.size()) + 40;
  std::string svg =
      Open(height, all > kBars ? fmt::format("Mean seconds of a round at the {} slowest of {} sites", kBars, all)
                               : "Mean seconds of a round at each site");
  double y = kTop;
  for (const auto& [mean, site] : bars) {
    svg += NameAt(site->name, y);
    double x = kNames;
    for (std::size_t i = 0; i < std::size(kPhases); ++i) {
      const double seconds = site->phases.*kPhases[i].field / static_cast<double>(site->took_part);
      if (seconds <= 0) continue;
      svg += fmt::format(
          "<g><title>{}: {:.3g} s</title><rect class=\"phase p{}\" x=\"{:.1f}\" y=\"{:g}\" width=\"{:.1f}\" "
          "height=\"{:g}\"/></g>",
          kPhases[i].name, seconds, i, x, y + 2, seconds * scale, kRow - 4);
      x += seconds * scale;
    }
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:g}\">{:.3g} s</text>\n", x + 5, y + 12, mean);
    y += kRow;
  }
  double x = kNames;
  y += 12;
  for (std::size_t i = 0; i < std::size(kPhases); ++i) {
    svg += fmt::format("<rect class=\"phase p{}\" x=\"{:g}\" y=\"{:g}\" width=\"12\" height=\"12\"/>", i, x, y);
    svg += fmt::format("<text class=\"tick\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", x + 17, y + 10, kPhases[i].name);
    x += 34 + 6.2 * static_cast<double>(kPhases[i].name.size());
  }
  return svg + "</svg>\n";
}

std::string_view BarStyle() noexcept {
  // The phases differ in lightness as well as in colour.
  return R"(.took{fill:var(--s1)}.left{fill:none;stroke:var(--soft)}.fail{fill:none;stroke:var(--s2)}
.cross{stroke:var(--s2);stroke-width:1.4}.none{fill:var(--rule)}
.phase{stroke:var(--paper);stroke-width:.8}.p0{fill:#e3e6ea}.p1{fill:#f0c05a}.p2{fill:#9ccfe8}.p3{fill:#d55e00}.p4{fill:#00527f}
)";
}

}  // namespace ote::cli
