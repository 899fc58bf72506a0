// Line charts as SVG, made of text alone: no script, no font, nothing to fetch.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ote::cli {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending
  bool dashed = false;                            // for what is not a measurement over time, such as a goal
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool percent = false;  // y is a share, shown in percent
  std::vector<Series> series;
};

// One <svg> element with a title and a description for those who cannot see it; 720 × 320 units, scales with the page.
// Series with no points are left out of the lines and kept in the legend. Colours come from the page's --s0 … --s7.
std::string RenderSvg(const Chart& chart);

// Text as it may stand in HTML and SVG, attributes included.
std::string EscapeHtml(std::string_view text);

// Where the ticks of an axis from `low` to `high` stand: 3 to 8 round numbers that lie within.
std::vector<double> Ticks(double low, double high);

}  // namespace ote::cli
