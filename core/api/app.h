// Apps: what is wanted on a cluster. The form that people write is in ote-app(5); this is what travels and is kept.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// A file that a workload finds beside it. Its content is an artifact; in the short form it is written in place or read
// from a path beside the app file.
struct AppFile {
  std::string path;  // where the workload finds it; relative to its working folder when not absolute
  std::string digest;
  std::int64_t size = 0;
  std::int64_t mode = 0644;
  bool secret = false;  // never shown; kept sealed on the way

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("path", self.path, kRequired);
    v("digest", self.digest, kRequired);
    v("size", self.size);
    v("mode", self.mode);
    v("secret", self.secret);
  }
  friend bool operator==(const AppFile&, const AppFile&) = default;
};

struct AppPort {
  std::string name;
  std::int64_t port = 0;       // that the workload listens on
  std::int64_t host_port = 0;  // 0: the same for processes, none for Kubernetes
  std::string protocol = "tcp";

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name);
    v("port", self.port, kRequired);
    v("hostPort", self.host_port);
    v("protocol", self.protocol);
  }
  friend bool operator==(const AppPort&, const AppPort&) = default;
};

// Of one replica.
struct AppResources {
  std::int64_t cpu_milli = 0;  // 0: no limit and no reservation
  std::int64_t memory = 0;     // bytes
  std::int64_t disk = 0;       // bytes
  std::int64_t accelerators = 0;
  std::string accelerator;  // kind, such as nvidia.com/gpu; "" for any

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cpuMilli", self.cpu_milli);
    v("memory", self.memory);
    v("disk", self.disk);
    v("accelerators", self.accelerators);
    v("accelerator", self.accelerator);
  }
  friend bool operator==(const AppResources&, const AppResources&) = default;
};

enum class HealthKind { kNone, kExec, kHttp, kTcp };
struct HealthCheck {
  HealthKind kind = HealthKind::kNone;
  std::vector<std::string> command;  // exec: healthy when it exits with 0
  std::int64_t port = 0;             // http, tcp
  std::string path = "/";            // http: healthy with a status of 200 to 399
  std::int64_t interval_ms = 10'000;
  std::int64_t timeout_ms = 2'000;
  std::int64_t failures = 3;      // in a row, until it counts as unhealthy
  std::int64_t start_ms = 5'000;  // failures before this after a start do not count

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("command", self.command);
    v("port", self.port);
    v("path", self.path);
    v("intervalMs", self.interval_ms);
    v("timeoutMs", self.timeout_ms);
    v("failures", self.failures);
    v("startMs", self.start_ms);
  }
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

enum class RestartPolicy { kAlways, kOnFailure, kNever };
// How the replicas within one cluster take a new revision.
enum class UpdateKind { kRolling, kRecreate };
enum class Isolation { kAuto, kRequire, kOff };  // bubblewrap, for native commands

// What one cluster is to run, whatever its shim: a workload in ote's own words, or manifests for those that know them.
struct Workload {
  std::vector<std::string> command;  // a native command and its arguments; in a container: what replaces the image's
  std::string image;                 // for shims that run containers
  std::string executable;            // digest of the native command's file, checked before each start; "" for none
  std::map<std::string, std::string> env;
  std::vector<std::string> secret_env;  // names in `env` whose values are never shown
  std::vector<AppFile> files;
  std::vector<AppPort> ports;
  AppResources resources;
  HealthCheck health;
  std::int64_t replicas = 1;  // on this cluster
  RestartPolicy restart = RestartPolicy::kAlways;
  UpdateKind update = UpdateKind::kRolling;
  std::int64_t stop_ms = 10'000;  // between SIGTERM and SIGKILL
  Isolation isolation = Isolation::kAuto;
  std::string manifests;  // YAML, one or more documents; when there are some, all above is unused

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("command", self.command);
    v("image", self.image);
    v("executable", self.executable);
    v("env", self.env);
    v("secretEnv", self.secret_env);
    v("files", self.files);
    v("ports", self.ports);
    v("resources", self.resources);
    v("health", self.health);
    v("replicas", self.replicas);
    v("restart", self.restart);
    v("update", self.update);
    v("stopMs", self.stop_ms);
    v("isolation", self.isolation);
    v("manifests", self.manifests);
  }
  friend bool operator==(const Workload&, const Workload&) = default;
};

// One revision of an app on one cluster: what is sent there, kept there, and given to its shim.
struct Assignment {
  static constexpr std::string_view kKind = "assignment";
  std::string app;
  std::int64_t revision = 0;
  std::string digest;  // of `workload`, hex: two that agree in it are the same
  Workload workload;
  std::string by;    // who deployed it
  std::string from;  // the cluster whose app it is: two tiers may have apps of one name; "" for this one's own
  UnixMillis at = 0;
  bool rollback = false;       // the cluster returns to the last healthy revision by itself when this one is not
  std::int64_t health_ms = 0;  // healthy within this time after it was given to the shim; 0: whenever it is

  // What it goes by on the cluster: no two that are to run there have the same.
  std::string Key() const { return from.empty() ? app : from + "/" + app; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("revision", self.revision, kRequired);
    v("digest", self.digest, kRequired);
    v("workload", self.workload, kRequired);
    v("by", self.by);
    v("from", self.from);
    v("at", self.at);
    v("rollback", self.rollback);
    v("healthMs", self.health_ms);
  }
  friend bool operator==(const Assignment&, const Assignment&) = default;
};
std::string DigestOf(const Workload& workload);

enum class AppPhase {
  kPending,      // not there yet
  kProgressing,  // some replicas are not yet as wanted
  kHealthy,      // all run, and their checks pass
  kDegraded,     // fewer are healthy than wanted
  kFailed,       // the shim gave up, or refused it
  kRemoved
};
struct ReplicaStatus {
  std::string name;  // pod, or process
  AppPhase phase = AppPhase::kPending;
  std::int64_t restarts = 0;
  std::string node;
  std::string message;
  UnixMillis since = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("phase", self.phase);
    v("restarts", self.restarts);
    v("node", self.node);
    v("message", self.message);
    v("since", self.since);
  }
  friend bool operator==(const ReplicaStatus&, const ReplicaStatus&) = default;
};
// What a shim tells of an assignment; the last fields are the agent's.
struct AppStatus {
  std::string app;
  std::string from;           // as in Assignment
  std::int64_t revision = 0;  // that the status is of
  AppPhase phase = AppPhase::kPending;
  std::int64_t wanted = 0;
  std::int64_t healthy = 0;
  std::string message;
  std::string code;  // of what failed, such as OTE-E1104
  std::vector<ReplicaStatus> replicas;
  UnixMillis since = 0;               // when the phase began
  std::string digest;                 // of the workload that it is of
  std::int64_t wanted_revision = 0;   // that the tier above wants; another than `revision` when it is not what runs
  std::int64_t rolled_back_from = 0;  // the revision that did not get healthy, so that the cluster left it by itself
  std::string overridden_by;          // who on the cluster set aside what the tier above wants; "" for nobody
  UnixMillis overridden_at = 0;

  std::string Key() const { return from.empty() ? app : from + "/" + app; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("from", self.from);
    v("revision", self.revision);
    v("phase", self.phase);
    v("wanted", self.wanted);
    v("healthy", self.healthy);
    v("message", self.message);
    v("code", self.code);
    v("replicas", self.replicas);
    v("since", self.since);
    v("digest", self.digest);
    v("wantedRevision", self.wanted_revision);
    v("rolledBackFrom", self.rolled_back_from);
    v("overriddenBy", self.overridden_by);
    v("overriddenAt", self.overridden_at);
  }
  friend bool operator==(const AppStatus&, const AppStatus&) = default;
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::HealthKind> {
  using E = ote::api::HealthKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kNone, "none"}, {E::kExec, "exec"}, {E::kHttp, "http"}, {E::kTcp, "tcp"}};
};
template <>
struct ote::EnumNames<ote::api::RestartPolicy> {
  using E = ote::api::RestartPolicy;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kAlways, "always"}, {E::kOnFailure, "on-failure"}, {E::kNever, "never"}};
};
template <>
struct ote::EnumNames<ote::api::UpdateKind> {
  using E = ote::api::UpdateKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kRolling, "rolling"}, {E::kRecreate, "recreate"}};
};
template <>
struct ote::EnumNames<ote::api::Isolation> {
  using E = ote::api::Isolation;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kAuto, "auto"}, {E::kRequire, "require"}, {E::kOff, "off"}};
};
template <>
struct ote::EnumNames<ote::api::AppPhase> {
  using E = ote::api::AppPhase;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kPending, "pending"},   {E::kProgressing, "progressing"}, {E::kHealthy, "healthy"},
      {E::kDegraded, "degraded"}, {E::kFailed, "failed"},           {E::kRemoved, "removed"}};
};
