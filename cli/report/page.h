// The report of a run: one HTML file that needs nothing else.
#pragma once

#include <string>
#include <vector>

#include "core/api/run.h"

namespace ote::cli {

// What the run is held against: a model that was trained otherwise and measured on the same rows.
struct Comparison {
  std::string name;  // "clinic-a alone"
  std::int64_t rows = 0;
  double accuracy = 0;
  bool chosen = false;  // the federated model itself
};

struct ReportInput {
  std::string title;
  api::Run run;
  std::vector<Comparison> comparisons;  // may be empty
  std::string note;                     // a sentence under the title; "" for none
};

// What came of it at a glance, the learning curves overall and by site, who took part and who failed and why, where
// time and bytes went, each round, the run's settings, and what the model came from with the digest that names it. A
// run of a thousand rounds or sites is told in spans and choices.
std::string RenderReport(const ReportInput& input);

}  // namespace ote::cli
