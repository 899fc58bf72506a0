#include "cli/fl/failures.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/frame/report.h"
#include "cli/report/tally.h"

namespace ote::cli {
namespace {

constexpr std::size_t kCauses = 4;  // of one site

}  // namespace

std::string CauseText(const api::SiteFailure& failure) {
  std::string text = failure.phase;
  if (!text.empty() && !failure.message.empty()) text += ": ";
  text += failure.message;
  // The message may name its code already.
  if (!failure.code.empty() && failure.message.find(failure.code) == std::string::npos) {
    text += fmt::format(" [{}]", failure.code);
  }
  return text;
}

void FailureTeller::Take(const api::RunEvent& event) {
  api::SiteFailure failure{event.cluster, event.phase, event.code, event.message, event.hint};
  // The cause of a refusal lies in the update, whatever the phase.
  if (failure.phase.empty() && event.kind == "update-refused") failure.phase = "update refused";
  auto& causes = sites_[event.cluster];
  const auto known =
      std::find_if(causes.begin(), causes.end(), [&](const Cause& cause) { return SameCause(cause.failure, failure); });
  if (known != causes.end()) {
    ++known->count;
    return;
  }
  if (causes.size() == kCauses) {
    ++untold_[event.cluster];
    return;
  }
  causes.push_back({failure, 1});
  progress_.Above([&] { Warn(context_, fmt::format("{}: {}", failure.name, CauseText(failure)), failure.hint); });
}

void FailureTeller::Count() {
  const std::string hint = "ote fl show " + run_;
  for (const auto& [site, causes] : sites_) {
    for (const Cause& cause : causes) {
      if (cause.count < 2) continue;
      Warn(context_, fmt::format("{}: {} times: {}", site, cause.count, CauseText(cause.failure)));
    }
    if (const auto untold = untold_.find(site); untold != untold_.end()) {
      Warn(context_, fmt::format("{}: {} more failures of other causes", site, untold->second), hint);
    }
  }
}

}  // namespace ote::cli
