#include "core/api/app_spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/ids.h"
#include "core/base/yaml_documents.h"
#include "crypto/digest.h"

namespace ote::api {
namespace {

constexpr std::int64_t kMostReplicas = 10'000;
constexpr std::int64_t kLongest = 30LL * 24 * 3600 * 1000;
constexpr std::size_t kMostFiles = 256;
constexpr std::size_t kMostManifests = 448 << 10;

Error Bad(std::string_view field, std::string_view why) {
  return {ErrorId::kAppInvalid, fmt::format("{}: {}", field, why), {}};
}

// The values of a Secret, here or in a list, hidden. Whether there was one.
bool HideSecrets(Json& object) {
  if (!object.is_object()) return false;
  bool found = false;
  if (const auto items = object.find("items"); items != object.end() && items->is_array()) {
    for (Json& item : *items) found = HideSecrets(item) || found;
  }
  if (object.value("kind", Json()) != "Secret") return found;
  for (const char* field : {"data", "stringData"}) {
    const auto values = object.find(field);
    if (values == object.end()) continue;
    if (!values->is_object()) *values = "(secret)";
    for (auto& value : *values) value = "(secret)";
  }
  return true;
}

// As they are when there is nothing to hide.
std::string ShownManifests(const std::string& manifests) {
  if (manifests.find("Secret") == manifests.npos) return manifests;
  auto documents = ParseYamlDocuments(manifests, "manifests");
  if (!documents) return "(not shown)";
  std::string out;
  bool hidden = false;
  for (auto& document : *documents) {
    hidden = HideSecrets(document.value) || hidden;
    out += "---\n" + DumpYaml(document.value);
    if (!out.ends_with('\n')) out += '\n';
  }
  return hidden ? out : manifests;
}

bool IsPort(std::int64_t port) { return port >= 1 && port <= 65'535; }

Result<void> CheckWorkload(const Workload& w) {
  if (w.manifests.size() > kMostManifests) {
    return Fail(Bad("manifests", fmt::format("more than {} bytes", kMostManifests)));
  }
  if (!w.manifests.empty()) return {};
  if (w.command.empty() && w.image.empty()) return Fail(Bad("command", "give a command, an image, or manifests"));
  if (!w.command.empty() && w.command.front().empty()) return Fail(Bad("command", "the program has no name"));
  if (w.replicas < 0 || w.replicas > kMostReplicas) {
    return Fail(Bad("replicas", fmt::format("from 0 to {}", kMostReplicas)));
  }
  if (w.stop_ms < 0 || w.stop_ms > 3'600'000) return Fail(Bad("stopTimeout", "from 0s to 1h"));
  for (const auto& [name, value] : w.env) {
    if (name.empty() || name.find('=') != name.npos) return Fail(Bad("env." + name, "not the name of a variable"));
    if (value.find('\0') != value.npos) return Fail(Bad("env." + name, "a zero byte cannot stand in a variable"));
  }
  if (w.files.size() > kMostFiles) return Fail(Bad("files", fmt::format("at most {}", kMostFiles)));
  for (const auto& file : w.files) {
    if (file.path.empty()) return Fail(Bad("files.path", "it is empty"));
    const std::string slashed = "/" + file.path + "/";
    if (slashed.find("/../") != slashed.npos || file.path.find('\0') != file.path.npos) {
      return Fail(Bad("files.path", fmt::format("{}: it may not lead upwards", file.path)));
    }
    if (!crypto::Digest::Parse(file.digest)) return Fail(Bad("files.digest", file.path + ": no digest"));
    if (file.mode < 0 || file.mode > 0777) return Fail(Bad("files.mode", file.path + ": from 0000 to 0777"));
  }
  if (!w.executable.empty() && !crypto::Digest::Parse(w.executable)) return Fail(Bad("executable", "no digest"));
  for (const auto& port : w.ports) {
    if (!IsPort(port.port)) return Fail(Bad("ports.port", "from 1 to 65535"));
    if (port.host_port != 0 && !IsPort(port.host_port)) return Fail(Bad("ports.hostPort", "from 1 to 65535"));
    if (port.protocol != "tcp" && port.protocol != "udp") return Fail(Bad("ports.protocol", "tcp or udp"));
  }
  const auto& r = w.resources;
  if (r.cpu_milli < 0 || r.memory < 0 || r.disk < 0 || r.accelerators < 0) {
    return Fail(Bad("resources", "a quantity is below zero"));
  }
  const auto& h = w.health;
  if (h.kind == HealthKind::kExec && h.command.empty()) return Fail(Bad("healthCheck.exec", "the command is empty"));
  if ((h.kind == HealthKind::kHttp || h.kind == HealthKind::kTcp) && !IsPort(h.port)) {
    return Fail(Bad("healthCheck", "its port is from 1 to 65535"));
  }
  if (h.interval_ms < 100 || h.timeout_ms < 10 || h.failures < 1 || h.start_ms < 0 || h.interval_ms > kLongest) {
    return Fail(Bad("healthCheck", "interval from 100ms, timeout from 10ms, failures from 1"));
  }
  return {};
}

}  // namespace

Result<void> Validate(const AppSpec& spec) {
  if (auto name = CheckName("app", spec.name); !name) return Fail(Bad("name", name.error().message));
  OTE_CHECK(CheckWorkload(spec.workload));
  const auto& p = spec.placement;
  if (p.replicas && (*p.replicas < 1 || *p.replicas > 1'000'000)) {
    return Fail(Bad("placement.replicas", "from 1 to 1000000"));
  }
  for (const auto& cluster : p.clusters) {
    if (auto name = CheckName("cluster", cluster); !name) return Fail(Bad("placement.clusters", name.error().message));
  }
  for (const auto& preference : p.prefer) {
    if (preference.weight < -1000 || preference.weight > 1000) {
      return Fail(Bad("placement.prefer.weight", "from -1000 to 1000"));
    }
  }
  const auto& r = spec.rollout;
  if (r.max_unavailable < 0 || r.max_unavailable_percent < 1 || r.max_unavailable_percent > 100) {
    return Fail(Bad("rollout.maxUnavailable", "a number from 1, or from 1% to 100%"));
  }
  if (r.health_ms < 1000 || r.health_ms > kLongest) return Fail(Bad("rollout.healthTimeout", "from 1s to 30d"));
  if (spec.replace_after_ms < 0 || spec.replace_after_ms > kLongest) return Fail(Bad("replaceAfter", "from 0s to 30d"));
  return {};
}

std::string DigestOf(const AppSpec& spec) { return crypto::DigestOf(ToCbor(spec)).Hex(); }

Workload Shown(Workload workload) {
  workload.manifests = ShownManifests(workload.manifests);
  for (const auto& name : workload.secret_env) {
    if (const auto it = workload.env.find(name); it != workload.env.end()) it->second = "(secret)";
  }
  return workload;
}

}  // namespace ote::api
