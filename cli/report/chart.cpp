#include "cli/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/units.h"

namespace ote::cli {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 320;
constexpr double kLeft = 66;
constexpr double kRight = 170;  // the legend
constexpr double kTop = 30;
constexpr double kBottom = 44;
constexpr double kPlotWidth = kWidth - kLeft - kRight;
constexpr double kPlotHeight = kHeight - kTop - kBottom;
constexpr std::size_t kColors = 8;
constexpr std::size_t kNameLimit = 20;    // characters that the legend has room for
constexpr std::size_t kMarksWanted = 12;  // along a line

// Each with another length than that of any other, so that two dashed lines differ.
constexpr std::string_view kDashes[kColors] = {"", "", "7 4", "2 3", "10 3 2 3", "5 2", "12 5", "1 4"};

struct Range {
  double low = 0;
  double high = 1;
  bool any = false;

  void Add(double value) {
    if (!std::isfinite(value)) return;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  double Share(double value) const { return (value - low) / (high - low); }
};

// Never of no width, so that a share can be taken.
Range Widened(Range range) {
  if (!range.any) return {};
  if (range.high - range.low >= 1e-12) return range;
  const double pad = std::max(std::abs(range.low) * 0.1, 0.5);
  return {range.low - pad, range.high + pad, true};
}

Range Across(const Chart& chart) {
  Range range;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) range.Add(x);
  }
  for (const Band& band : chart.bands) {
    for (const Band::Point& point : band.points) range.Add(point.x);
  }
  return Widened(range);
}

Range Upwards(const Chart& chart) {
  const bool from_nothing = chart.unit == Unit::kSize || chart.unit == Unit::kSeconds;
  Range range;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) range.Add(y);
  }
  for (const Band& band : chart.bands) {
    for (const Band::Point& point : band.points) {
      range.Add(point.low);
      range.Add(point.high);
    }
  }
  if (from_nothing && range.any) range.Add(0);
  range = Widened(range);
  // A little air above and below; a share does not go past 100 %.
  const double air = (range.high - range.low) * 0.06;
  range.low -= air;
  range.high += air;
  if (chart.unit == Unit::kPercent) range.high = std::min(range.high, 1.0);
  if (chart.unit == Unit::kPercent || from_nothing) range.low = std::max(range.low, 0.0);
  return range;
}

// The mark of series `i` around a point.
std::string Mark(std::size_t i, double x, double y) {
  const std::string style = fmt::format("class=\"mark c{}\"", i % kColors);
  switch (i % 4) {
    case 0:
      return fmt::format("<circle {} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", style, x, y);
    case 1:
      return fmt::format("<rect {} x=\"{:.1f}\" y=\"{:.1f}\" width=\"5.4\" height=\"5.4\"/>", style, x - 2.7, y - 2.7);
    case 2:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l3.6 6.4h-7.2z\"/>", style, x, y - 3.9);
    default:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l3.8 3.8l-3.8 3.8l-3.8-3.8z\"/>", style, x, y - 3.8);
  }
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart), xs_(Across(chart)), ys_(Upwards(chart)) {}

  std::string Body() {
    Axes();
    for (std::size_t i = 0; i < chart_.bands.size(); ++i) Strip(i);
    // The first is what the chart is about: it lies on top.
    for (std::size_t i = chart_.series.size(); i > 0; --i) Line(i - 1);
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      Legend(chart_.series[i].name, LineAt(i, kWidth - kRight + 12, row_) + Mark(i, kWidth - kRight + 25, row_));
    }
    for (const Band& band : chart_.bands) {
      Legend(band.name, fmt::format("<rect class=\"band\" x=\"{:g}\" y=\"{:g}\" width=\"26\" height=\"10\"/>",
                                    kWidth - kRight + 12, row_ - 5));
    }
    return std::move(svg_);
  }

 private:
  double X(double x) const { return kLeft + xs_.Share(x) * kPlotWidth; }
  double Y(double y) const { return kTop + (1 - ys_.Share(y)) * kPlotHeight; }
  static std::string Style(std::size_t i) {
    const std::string_view dashes = kDashes[i % kColors];
    return fmt::format("class=\"line c{}{}\"{}", i % kColors, i == 0 ? " first" : "",
                       dashes.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dashes));
  }
  static std::string LineAt(std::size_t i, double x, double y) {
    return fmt::format("<line {} x1=\"{:g}\" y1=\"{:g}\" x2=\"{:g}\" y2=\"{:g}\"/>", Style(i), x, y, x + 26, y);
  }

  void Axes() {
    svg_ += fmt::format("<text class=\"heading\" x=\"{:g}\" y=\"18\">{}</text>\n", kLeft, EscapeHtml(chart_.title));
    // Sizes are round in their own unit.
    const double scale =
        chart_.unit == Unit::kSize ? std::pow(1024.0, std::floor(std::log2(std::max(ys_.high, 1.0)) / 10)) : 1.0;
    for (const double step : Ticks(ys_.low / scale, ys_.high / scale)) {
      const double tick = step * scale;
      const double y = Y(tick);
      svg_ += fmt::format("<line class=\"grid\" x1=\"{:g}\" y1=\"{:.1f}\" x2=\"{:g}\" y2=\"{:.1f}\"/>", kLeft, y,
                          kLeft + kPlotWidth, y);
      svg_ += fmt::format("<text class=\"tick end\" x=\"{:g}\" y=\"{:.1f}\">{}</text>\n", kLeft - 6, y + 4,
                          ValueText(tick, chart_.unit));
    }
    for (const double tick : Ticks(xs_.low, xs_.high)) {
      if (tick != std::floor(tick)) continue;  // there is no half round
      svg_ += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:g}\">{:g}</text>\n", X(tick),
                          kTop + kPlotHeight + 16, tick);
    }
    svg_ += fmt::format("<line class=\"axis\" x1=\"{:g}\" y1=\"{:g}\" x2=\"{:g}\" y2=\"{:g}\"/>\n", kLeft,
                        kTop + kPlotHeight, kLeft + kPlotWidth, kTop + kPlotHeight);
    svg_ += fmt::format("<text class=\"tick mid\" x=\"{:g}\" y=\"{:g}\">{}</text>\n", kLeft + kPlotWidth / 2,
                        kHeight - 8, EscapeHtml(chart_.x_label));
    svg_ += fmt::format("<text class=\"tick mid\" transform=\"translate(11 {:g}) rotate(-90)\">{}</text>\n",
                        kTop + kPlotHeight / 2, EscapeHtml(chart_.y_label));
  }

  void Strip(std::size_t i) {
    std::string there;
    std::string back;
    for (const Band::Point& point : chart_.bands[i].points) {
      if (!std::isfinite(point.x) || !std::isfinite(point.low) || !std::isfinite(point.high)) continue;
      there += fmt::format("{:.1f},{:.1f} ", X(point.x), Y(point.high));
      back.insert(0, fmt::format("{:.1f},{:.1f} ", X(point.x), Y(point.low)));
    }
    if (!there.empty()) svg_ += fmt::format("<polygon class=\"band\" points=\"{}{}\"/>\n", there, back);
  }

  void Line(std::size_t i) {
    std::string points;
    std::string marks;
    const std::size_t step = std::max<std::size_t>(1, chart_.series[i].points.size() / kMarksWanted);
    std::size_t count = 0;
    for (const auto& [x, y] : chart_.series[i].points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      if (!points.empty()) points += ' ';
      points += fmt::format("{:.1f},{:.1f}", X(x), Y(y));
      // Each line has its marks at other rounds, so that lines that lie on each other are both seen.
      if ((count++ + i) % step == 0) marks += Mark(i, X(x), Y(y));
    }
    if (count > 1) svg_ += fmt::format("<polyline {} points=\"{}\"/>\n", Style(i), points);
    if (!marks.empty()) svg_ += marks + "\n";
  }

  void Legend(const std::string& name, const std::string& sample) {
    svg_ += fmt::format("<g><title>{}</title>{}<text class=\"tick\" x=\"{:g}\" y=\"{:g}\">{}</text></g>\n",
                        EscapeHtml(name), sample, kWidth - kRight + 44, row_ + 4, EscapeHtml(Clip(name, kNameLimit)));
    row_ += 20;
  }

  const Chart& chart_;
  Range xs_;
  Range ys_;
  double row_ = kTop + 8;
  std::string svg_;
};

std::string Svg(const Chart& chart, std::string_view attributes, std::string_view style) {
  return fmt::format("<svg{} viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\"><title>{}</title>{}\n{}</svg>\n",
                     attributes, kWidth, kHeight, EscapeHtml(chart.title), EscapeHtml(chart.title), style,
                     Drawing(chart).Body());
}

}  // namespace

std::string_view ChartStyle() noexcept {
  // The colours of Okabe and Ito (2008), which the colour-blind tell apart; their yellow is darkened for white paper.
  return R"(:root{--ink:#1b1f24;--soft:#5b6570;--rule:#d9dee3;--paper:#fff;--mark:#eef4fb;
--s0:#1b1f24;--s1:#0072b2;--s2:#d55e00;--s3:#009e73;--s4:#b4548a;--s5:#b87f00;--s6:#3a9bd6;--s7:#7a6a00}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--rule:#39414a;--paper:#15191d;--mark:#1d2834;
--s0:#e6e9ec;--s1:#5fb4ef;--s2:#ff9550;--s3:#35d0a0;--s4:#e79ac4;--s5:#f0b93a;--s6:#8fd0f7;--s7:#d8cb4e}}
svg text{fill:var(--ink);font-family:system-ui,sans-serif}.heading{font-size:13px;font-weight:600}
svg .tick{font-size:11px;fill:var(--soft)}.end{text-anchor:end}.mid{text-anchor:middle}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.band{fill:var(--soft);opacity:.22}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.first{stroke-width:2.6}
.c0{--c:var(--s0)}.c1{--c:var(--s1)}.c2{--c:var(--s2)}.c3{--c:var(--s3)}
.c4{--c:var(--s4)}.c5{--c:var(--s5)}.c6{--c:var(--s6)}.c7{--c:var(--s7)}
.line{stroke:var(--c)}.mark{fill:var(--c);stroke:var(--paper);stroke-width:.8}
)";
}

std::string RenderSvg(const Chart& chart) { return Svg(chart, "", ""); }

std::string SvgFile(const Chart& chart) {
  const std::string size =
      fmt::format(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{:g}\" height=\"{:g}\"", kWidth, kHeight);
  const std::string style = fmt::format("<style>{}svg{{background:var(--paper)}}</style>", EscapeHtml(ChartStyle()));
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + Svg(chart, size, style);
}

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
      default: {
        const auto byte = static_cast<unsigned char>(c);
        out += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F ? '?' : c;
      }
    }
  }
  return out;
}

std::string Clip(std::string_view text, std::size_t limit) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    if (begins && count++ == limit) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

std::vector<double> Ticks(double low, double high) {
  if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) return {};
  const double rough = (high - low) / 8;
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

std::string ValueText(double value, Unit unit) {
  switch (unit) {
    case Unit::kPercent:
      return fmt::format("{:g} %", std::round(value * 1000) / 10);
    case Unit::kSize:
      return FormatSize(static_cast<std::uint64_t>(std::clamp(value, 0.0, 1e18)));
    case Unit::kSeconds:
      return fmt::format("{:.3g} s", value);
    case Unit::kNumber:
      break;
  }
  return fmt::format("{:.4g}", value);
}

}  // namespace ote::cli
