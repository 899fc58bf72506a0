#include "cli/cluster/watch_flags.h"

#include <fmt/format.h>

#include "cli/frame/report.h"
#include "core/base/units.h"
#include "core/store/watch_file.h"

namespace ote::cli {
namespace {

Result<void> Apply(const Context& context, const WatchOptions& options, api::WatchSettings& watch) {
  if (options.metrics) {
    watch.metrics = *options.metrics == "off" ? std::string() : *options.metrics;
    if (!watch.metrics.empty()) OTE_CHECK(api::ParseHostPort(watch.metrics));
  }
  if (options.log_format) watch.log_format = *options.log_format;
  api::ShipSettings& ship = watch.ship;
  if (options.ship) ship.url = *options.ship == "off" ? std::string() : *options.ship;
  if (options.ship_ca) ship.ca_file = context.Absolute(*options.ship_ca).string();
  // One of them replaces the other.
  if (options.ship_key) {
    ship.key_file = context.Absolute(*options.ship_key).string();
    if (!options.ship_user) ship.user_file.clear();
  }
  if (options.ship_user) {
    ship.user_file = context.Absolute(*options.ship_user).string();
    if (!options.ship_key) ship.key_file.clear();
  }
  if (options.ship_index) ship.index = *options.ship_index;
  if (options.ship_spool) {
    OTE_TRY(const std::uint64_t bytes, ParseSize(*options.ship_spool));
    if (bytes > INT64_MAX) return Fail(ErrorId::kShipperFailed, "--ship-spool: too large");
    ship.spool = static_cast<std::int64_t>(bytes);
  }
  if (!ship.url.empty()) OTE_CHECK(api::CheckShip(ship));
  return {};
}

}  // namespace

void AddWatchFlags(Command& command, WatchOptions& options) {
  command.Option("--metrics", "HOST:PORT", options.metrics,
                 "serve Prometheus metrics there, such as 127.0.0.1:9440; off ends it");
  command.Option("--log-format", "FORMAT", options.log_format, "how the agent writes its log")
      .Choices({"text", "json"});
  command.Option("--ship-logs", "URL", options.ship,
                 "send the log to the Elasticsearch of that https:// address too; off ends it");
  command.Option("--ship-ca", "FILE", options.ship_ca, "with --ship-logs: whom its certificate is from")
      .Completes(Names::kFile);
  command.Option("--ship-key-file", "FILE", options.ship_key, "with --ship-logs: a file that holds an API key")
      .Completes(Names::kFile);
  command.Option("--ship-user-file", "FILE", options.ship_user, "with --ship-logs: a file that holds USER:PASSWORD")
      .Completes(Names::kFile);
  command
      .Option("--ship-index", "NAME", options.ship_index, "with --ship-logs: the index, with YYYY, MM, DD for the day")
      .Fallback("ote-logs-YYYY.MM.DD");
  command.Option("--ship-spool", "SIZE", options.ship_spool, "with --ship-logs: what may wait on disk")
      .Fallback("64MiB");
}

Result<void> CheckWatch(const Context& context, const WatchOptions& options) {
  if (options.log_format && *options.log_format != "text" && *options.log_format != "json")
    return Fail(ErrorId::kUsage, fmt::format("--log-format {}: neither text nor json", *options.log_format));
  api::WatchSettings watch;
  // Whether an index or a size is one shows only where there is a URL.
  if (!options.ship && (options.ship_index || options.ship_spool)) watch.ship.url = "https://localhost";
  return Apply(context, options, watch);
}

Result<bool> KeepWatch(Context& context, const store::StateFolder& folder, const WatchOptions& options) {
  OTE_TRY(const api::WatchSettings before, store::LoadWatch(folder));
  api::WatchSettings after = before;
  OTE_CHECK(Apply(context, options, after));
  if (after == before) return false;
  OTE_CHECK(store::SaveWatch(folder, after));
  if (store::FolderLock::Held(folder)) {
    Warn(context, "the agent runs already, and watches as it did; the change is for its next start");
    Next(context, fmt::format("ote cluster stop --state {0} && ote cluster start --state {0}", folder.path.string()));
  }
  return true;
}

}  // namespace ote::cli
