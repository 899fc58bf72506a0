#include "cli/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ote::cli {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 320;
constexpr double kLeft = 56;
constexpr double kRight = 150;  // the legend
constexpr double kTop = 30;
constexpr double kBottom = 44;
constexpr std::size_t kColors = 8;

struct Range {
  double low = 0;
  double high = 1;
  double Share(double value) const { return (value - low) / (high - low); }
};

Range RangeOf(const Chart& chart, bool x_axis) {
  bool any = false;
  Range range;
  for (const auto& series : chart.series) {
    for (const auto& [x, y] : series.points) {
      const double value = x_axis ? x : y;
      if (!std::isfinite(value)) continue;
      range.low = any ? std::min(range.low, value) : value;
      range.high = any ? std::max(range.high, value) : value;
      any = true;
    }
  }
  if (!any) return {};
  if (range.high - range.low < 1e-12) {
    const double pad = std::max(std::abs(range.low) * 0.1, 0.5);
    return {range.low - pad, range.high + pad};
  }
  if (x_axis) return range;
  // A little air above and below; a share does not go past 100 %.
  const double air = (range.high - range.low) * 0.06;
  range.low -= air;
  range.high += air;
  if (chart.percent) {
    range.low = std::max(range.low, 0.0);
    range.high = std::min(range.high, 1.0);
  }
  return range;
}

std::string TickText(double value, bool percent) {
  if (percent) return fmt::format("{:g} %", std::round(value * 1000) / 10);
  return fmt::format("{:g}", std::round(value * 1e6) / 1e6);
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<double> Ticks(double low, double high) {
  if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) return {};
  const double rough = (high - low) / 5;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= rough) break;
  }
  std::vector<double> ticks;
  for (double at = std::ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) {
    ticks.push_back(at * step + 0.0);  // no negative zero
  }
  return ticks;
}

std::string RenderSvg(const Chart& chart) {
  const Range xs = RangeOf(chart, true);
  const Range ys = RangeOf(chart, false);
  const double plot_width = kWidth - kLeft - kRight;
  const double plot_height = kHeight - kTop - kBottom;
  const auto x_at = [&](double x) { return kLeft + xs.Share(x) * plot_width; };
  const auto y_at = [&](double y) { return kTop + (1 - ys.Share(y)) * plot_height; };

  std::string svg = fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\n",
                                kWidth, kHeight, EscapeHtml(chart.title), EscapeHtml(chart.title));
  svg += fmt::format("<text class=\"heading\" x=\"{:g}\" y=\"18\">{}</text>\n", kLeft, EscapeHtml(chart.title));
  for (const double tick : Ticks(ys.low, ys.high)) {
    const double y = y_at(tick);
    svg += fmt::format("<line class=\"grid\" x1=\"{:g}\" y1=\"{:.1f}\" x2=\"{:g}\" y2=\"{:.1f}\"/>", kLeft, y,
                       kLeft + plot_width, y);
    svg += fmt::format("<text class=\"tick end\" x=\"{:g}\" y=\"{:.1f}\">{}</text>\n", kLeft - 6, y + 4,
                       TickText(tick, chart.percent));
  }
  for (const double tick : Ticks(xs.low, xs.high)) {
    if (tick != std::floor(tick)) continue;  // there is no half round
    svg += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:g}\">{:g}</text>\n", x_at(tick),
                       kTop + plot_height + 16, tick);
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{:g}\" y1=\"{:g}\" x2=\"{:g}\" y2=\"{:g}\"/>\n", kLeft,
                     kTop + plot_height, kLeft + plot_width, kTop + plot_height);
  svg += fmt::format("<text class=\"tick mid\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", kLeft + plot_width / 2, kHeight - 8,
                     EscapeHtml(chart.x_label));
  svg += fmt::format("<text class=\"tick mid\" transform=\"translate(13 {:g}) rotate(-90)\">{}</text>\n",
                     kTop + plot_height / 2, EscapeHtml(chart.y_label));
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const auto& series = chart.series[i];
    const std::string style =
        fmt::format("class=\"line{}\" style=\"stroke:var(--s{})\"", series.dashed ? " dashed" : "", i % kColors);
    std::string points;
    for (const auto& [x, y] : series.points) {
      if (std::isfinite(x) && std::isfinite(y)) points += fmt::format("{:.1f},{:.1f} ", x_at(x), y_at(y));
    }
    if (!points.empty()) {
      points.pop_back();
      svg += fmt::format("<polyline {} points=\"{}\"/>\n", style, points);
    }
    const double y = kTop + 8 + 20 * static_cast<double>(i);
    svg += fmt::format("<line {} x1=\"{:g}\" y1=\"{:g}\" x2=\"{:g}\" y2=\"{:g}\"/>", style, kWidth - kRight + 12, y,
                       kWidth - kRight + 34, y);
    svg += fmt::format("<text class=\"tick\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", kWidth - kRight + 40, y + 4,
                       EscapeHtml(series.name));
  }
  return svg + "</svg>\n";
}

}  // namespace ote::cli
