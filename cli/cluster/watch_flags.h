// The flags of ote cluster init, join and start that say how the agent is watched; kept in the state folder.
#pragma once

#include <optional>
#include <string>

#include "cli/frame/command.h"
#include "core/store/state_folder.h"

namespace ote::cli {

// What was given; what was not stays as it is kept.
struct WatchOptions {
  std::optional<std::string> metrics;
  std::optional<std::string> log_format;
  std::optional<std::string> ship;
  std::optional<std::filesystem::path> ship_ca;
  std::optional<std::filesystem::path> ship_key;
  std::optional<std::filesystem::path> ship_user;
  std::optional<std::string> ship_index;
  std::optional<std::string> ship_spool;
};
void AddWatchFlags(Command& command, WatchOptions& options);

// kMetricsAddress, kShipperFailed, kUsage; before anything is made or changed.
Result<void> CheckWatch(const Context& context, const WatchOptions& options);
// Writes what was given into the folder, unless it says so already; true when something changed. Says so when a running
// agent does not know of it yet.
Result<bool> KeepWatch(Context& context, const store::StateFolder& folder, const WatchOptions& options);

}  // namespace ote::cli
