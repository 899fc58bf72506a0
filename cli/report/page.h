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

// Learning curves overall and by site, the comparison, the rounds with who took part and what it cost, the run's
// settings, and the digest that names the model.
std::string RenderReport(const ReportInput& input);

}  // namespace ote::cli
