// Line charts as SVG, made of text alone: no script, no font, nothing to fetch.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ote::cli {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; where nothing was measured there is none
};

// Where most of many lines run, as a shaded strip.
struct Band {
  struct Point {
    double x = 0;
    double low = 0;
    double high = 0;
  };
  std::string name;
  std::vector<Point> points;
};

// How values are written on the axis. A size and a duration start at nothing.
enum class Unit { kNumber, kPercent, kSize, kSeconds };

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  Unit unit = Unit::kNumber;
  std::vector<Series> series;
  std::vector<Band> bands{};
};

// One <svg> element with a title for those who cannot see it; 720 × 320 units, scales with the page. A series differs
// from the others in its colour, its dashes and its marks, so that it is told apart in grey as well. One without points
// stays in the legend, one with few has a mark at each. The page brings ChartStyle().
std::string RenderSvg(const Chart& chart);
// The same as a file of its own.
std::string SvgFile(const Chart& chart);
// The colours and lines of charts, as CSS: --s0 … --s7 for series, and those of a dark screen.
std::string_view ChartStyle() noexcept;

// Text as it may stand in HTML and SVG, attributes included; control characters become question marks.
std::string EscapeHtml(std::string_view text);

// At most `limit` characters of it, with an ellipsis where it was cut.
std::string Clip(std::string_view text, std::size_t limit);

// Where the ticks of an axis from `low` to `high` stand: 3 to 9 round numbers that lie within.
std::vector<double> Ticks(double low, double high);
// The value as an axis and a table show it: "97.5 %", "1.2 MiB", "0.25 s".
std::string ValueText(double value, Unit unit);

}  // namespace ote::cli
