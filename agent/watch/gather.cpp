#include "agent/watch/gather.h"

#include <algorithm>

#include "agent/watch/tally.h"
#include "core/api/app.h"
#include "core/base/version.h"

namespace ote::agent {
namespace {

double Size(const std::filesystem::path& file) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(file, failed);
  return failed ? 0 : static_cast<double>(size);
}

double ArtifactBytes(const store::Artifacts& artifacts) {
  const auto all = artifacts.List();
  double sum = 0;
  if (!all) return sum;
  for (const auto& digest : *all) {
    if (const auto size = artifacts.Size(digest.ToString())) sum += static_cast<double>(*size);
  }
  return sum;
}

// One sample for each value that the enum has, so that a series does not end when its count is 0.
template <class E>
Family ByName(std::string name, std::string help, const char* label, const std::map<E, int>& counts) {
  Family family{std::move(name), std::move(help), FamilyKind::kGauge, {}, {}};
  for (const auto& [value, text] : EnumNames<E>::kNames) {
    const auto it = counts.find(value);
    family.values.push_back({{{label, std::string(text)}}, it == counts.end() ? 0.0 : it->second});
  }
  return family;
}

void AddClusters(const Watched& watched, Families& out) {
  std::map<api::ClusterStatus, int> by_status;
  for (const auto& cluster : watched.members.List()) {
    if (cluster.name != watched.context.membership.name) ++by_status[cluster.status];
  }
  out.push_back(ByName("ote_clusters", "Clusters below this one, by status.", "status", by_status));
}

void AddShip(const api::ShipStatus& ship, Families& out) {
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  out.push_back(
      Counter("ote_log_records_shipped_total", "Records of the log that the other side took.", number(ship.sent)));
  Family dropped{
      "ote_log_records_dropped_total", "Records of the log that were given up, by why.", FamilyKind::kCounter, {}, {}};
  dropped.values.push_back({{{"reason", "spool_full"}}, number(ship.dropped)});
  dropped.values.push_back({{{"reason", "refused"}}, number(ship.refused)});
  out.push_back(std::move(dropped));
  out.push_back(
      Counter("ote_log_ship_failures_total", "Batches of the log that had to be sent again.", number(ship.failures)));
  out.push_back(Gauge("ote_log_spool_bytes", "Size of the spool of the log.", number(ship.bytes)));
}

}  // namespace

void AddBoard(const StateBoard& board, const std::vector<api::Cluster>& clusters, const std::string& own,
              UnixMillis now, Families& out) {
  std::map<api::AppPhase, int> phases;
  double lag = 0;
  for (const auto& cluster : clusters) {
    for (const auto& [key, value] : board.List(cluster.name, state::kApp)) {
      if (const auto app = FromWire<api::AppStatus>(value)) ++phases[app->phase];
    }
    if (cluster.name == own || cluster.status != api::ClusterStatus::kReady) continue;
    if (const UnixMillis fresh = board.FreshAt(cluster.name); fresh > 0)
      lag = std::max(lag, static_cast<double>(now - fresh) / 1000);
  }
  out.push_back(ByName("ote_apps", "Apps here and below, each cluster's by itself, by phase.", "phase", phases));
  out.push_back(
      Gauge("ote_state_report_lag_seconds", "Age of the oldest report among the clusters below that are ready.", lag));
}

Families Gather(const Watched& watched, const std::optional<api::ShipStatus>& ship) {
  Context& context = watched.context;
  Families out;
  Family build{"ote_build_info", "Always 1; the labels tell what runs.", FamilyKind::kGauge, {}, {}};
  build.values.push_back({{{"version", std::string(Version())},
                           {"commit", std::string(Commit())},
                           {"role", std::string(NameOf(context.membership.role))},
                           {"cluster", context.membership.name}},
                          1});
  out.push_back(std::move(build));
  AddClusters(watched, out);
  if (context.membership.parent) {
    out.push_back(Gauge("ote_uplink_connected", "Whether the parent has welcomed this cluster.",
                        watched.uplink.Connected() ? 1 : 0));
  }
  if (const auto own = context.membership.Own()) {
    out.push_back(Gauge("ote_certificate_expiry_timestamp_seconds", "When this cluster's certificate ends.",
                        static_cast<double>(own->not_after) / 1000));
  }
  out.push_back(Counter("ote_messages_dropped_total", "Messages that a full queue of a connection gave up.",
                        static_cast<double>(context.transport.Dropped())));
  out.push_back(Gauge("ote_runs_active", "Runs that this root drives now.",
                      static_cast<double>(watched.parts.runs.ActiveCount())));
  out.push_back(Gauge("ote_artifact_bytes", "Size of all artifacts.", ArtifactBytes(context.artifacts)));
  const auto database = context.folder.Database();
  out.push_back(Gauge("ote_store_bytes", "Size of the database with its log.",
                      Size(database) + Size(database.string() + "-wal")));
  Family depth{"ote_queue_depth", "What waits, by queue.", FamilyKind::kGauge, {}, {}};
  depth.values.push_back({{{"queue", "posted"}}, static_cast<double>(watched.posted ? watched.posted() : 0)});
  depth.values.push_back({{{"queue", "answers"}}, static_cast<double>(context.rpc.Pending())});
  if (ship) depth.values.push_back({{{"queue", "log"}}, static_cast<double>(ship->waiting)});
  out.push_back(std::move(depth));
  if (watched.board != nullptr)
    AddBoard(*watched.board, watched.members.List(), context.membership.name, context.clock.WallNow(), out);
  if (context.tally != nullptr) context.tally->AddTo(out);
  if (ship) AddShip(*ship, out);
  AddProcess(out);
  return out;
}

}  // namespace ote::agent
