#include <catch2/catch.hpp>
#include <cmath>

#include "cli/report/chart.h"
#include "cli/report/page.h"

using namespace ote;
using cli::Chart;
using cli::Ticks;

TEST_CASE("ticks are round numbers within the range") {
  CHECK(Ticks(0, 1) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(Ticks(1, 20) == std::vector<double>{5, 10, 15, 20});
  CHECK(Ticks(3, 3).empty());
  const auto around = Ticks(-0.08, 1.4);
  REQUIRE_FALSE(around.empty());
  CHECK_FALSE(std::signbit(around.front()));
}

TEST_CASE("a chart draws what is finite, and is well-formed whatever the names hold") {
  Chart chart{
      "loss < \"1\" & more", "round", "loss", cli::Unit::kNumber, {{"a<b", {{1, 0.5}, {2, std::nan("")}, {3, 0.25}}}}};
  const auto svg = RenderSvg(chart);
  CHECK(svg.find("loss &lt; &quot;1&quot; &amp; more") != std::string::npos);
  CHECK(svg.find("a&lt;b") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("points=\"66.0,") != std::string::npos);
}

TEST_CASE("a chart of nothing, or of one point, is still a chart") {
  Chart chart{"t", "x", "y", cli::Unit::kPercent, {}};
  CHECK(RenderSvg(chart).find("</svg>") != std::string::npos);
  chart.series.push_back({"one", {{1, 0.7}}});
  const auto svg = RenderSvg(chart);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
}

TEST_CASE("a report needs nothing but itself, and escapes what sites and people named") {
  cli::ReportInput input;
  input.title = "<script>alert(1)</script>";
  input.run.id = "run-1";
  input.run.status = api::RunStatus::kFinished;
  api::Round round;
  round.round = 1;
  round.participants = {"clinic-a"};
  round.metrics.accuracy = 0.5;
  input.run.rounds.push_back(round);
  input.run.refused.push_back({"OTE-E0308", 2, "clinic-b", "<b>wrong</b>"});
  input.comparisons.push_back({"clinic-a alone", 10, 0.25, false});
  const auto html = RenderReport(input);
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("<b>") == std::string::npos);
  CHECK(html.find("http") == std::string::npos);
  CHECK(html.find("25.0 %") != std::string::npos);
  CHECK(html.find("50.0 %") != std::string::npos);
  CHECK(html.find("OTE-E0308") != std::string::npos);
}
