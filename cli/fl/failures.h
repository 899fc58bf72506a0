// What goes wrong at the sites of a run, told to who follows it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/frame/context.h"
#include "cli/frame/progress.h"
#include "core/api/run.h"

namespace ote::cli {

// Warns at once of a site that failed and of an update that was refused, once for each site and cause; a site has at
// most four causes, so that none fills the screen.
class FailureTeller {
 public:
  FailureTeller(Context& context, Progress& progress, std::string run)
      : context_(context), progress_(progress), run_(std::move(run)) {}

  static bool Tells(const api::RunEvent& event) {
    return event.kind == "site-failed" || event.kind == "update-refused";
  }
  void Take(const api::RunEvent& event);
  // How often each that came again came, at the end.
  void Count();

 private:
  struct Cause {
    api::SiteFailure failure;
    std::int64_t count = 0;
  };
  Context& context_;
  Progress& progress_;
  std::string run_;
  std::map<std::string, std::vector<Cause>> sites_;
  std::map<std::string, std::int64_t> untold_;
};

// "train: the loss is not finite [OTE-E0312]"
std::string CauseText(const api::SiteFailure& failure);

}  // namespace ote::cli
