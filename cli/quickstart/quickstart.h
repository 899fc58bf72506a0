// What quickstart does and finds.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/frame/context.h"
#include "core/api/run.h"
#include "core/base/result.h"

namespace ote::cli {

struct QuickstartOptions {
  std::filesystem::path folder = "ote-quickstart";
  bool keep = false;
  std::int64_t rounds = 20;
  std::int64_t seed = 2;
};

struct AloneSite {
  std::string name;
  std::int64_t rows = 0;
  double accuracy = 0;
};

struct QuickstartResult {
  std::vector<AloneSite> sites;
  double federated_accuracy = 0;
  double pooled_accuracy = 0;
  std::int64_t test_rows = 0;
  api::Run run;
  double seconds = 0;
  std::filesystem::path report;  // absolute
};

// Takes `options.folder` (made; one with the states of an earlier, kept quickstart is left alone and the next free name
// is taken). Agents that it started are stopped and their states removed when it returns, however it returns, unless
// `keep` is set; the report stays.
Result<QuickstartResult> RunQuickstart(Context& context, const QuickstartOptions& options, std::stop_token stop);

}  // namespace ote::cli
