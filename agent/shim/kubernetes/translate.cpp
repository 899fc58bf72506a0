#include "agent/shim/kubernetes/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/shim/kubernetes/json.h"
#include "core/base/files.h"

namespace ote::kube {
namespace {

constexpr std::uint64_t kMaxFiles = 1'000'000;  // a ConfigMap may have 1 MiB, names and base64 included
constexpr const char* kWork = "/work";

std::int64_t Seconds(std::int64_t millis, std::int64_t least) { return std::max(least, (millis + 999) / 1000); }

// Kubernetes would put variables in: "$(" is written "$$(".
std::string Verbatim(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == '$' && i + 1 < text.size() && (text[i + 1] == '(' || text[i + 1] == '$')) out.push_back('$');
  }
  return out;
}

Json Probe(const api::HealthCheck& health) {
  Json probe = {{"periodSeconds", Seconds(health.interval_ms, 1)},
                {"timeoutSeconds", Seconds(health.timeout_ms, 1)},
                {"failureThreshold", std::max<std::int64_t>(1, health.failures)}};
  if (health.kind == api::HealthKind::kExec) probe["exec"] = {{"command", health.command}};
  if (health.kind == api::HealthKind::kTcp) probe["tcpSocket"] = {{"port", health.port}};
  if (health.kind == api::HealthKind::kHttp) probe["httpGet"] = {{"path", health.path}, {"port", health.port}};
  return probe;
}

Json Resources(const api::AppResources& resources) {
  Json limits = Json::object();
  if (resources.cpu_milli > 0) limits["cpu"] = fmt::format("{}m", resources.cpu_milli);
  if (resources.memory > 0) limits["memory"] = std::to_string(resources.memory);
  if (resources.disk > 0) limits["ephemeral-storage"] = std::to_string(resources.disk);
  if (resources.accelerators > 0) {
    limits[resources.accelerator.empty() ? "nvidia.com/gpu" : resources.accelerator] =
        std::to_string(resources.accelerators);
  }
  return limits;
}

// Makes the objects of one workload.
class Maker {
 public:
  Maker(const api::Assignment& assignment, const Artifact& artifact)
      : a_(assignment), w_(assignment.workload), artifact_(artifact), name_(NameOfKey(assignment.Key())) {}

  Result<std::vector<Object>> Make() {
    if (w_.image.empty()) {
      return Fail(ErrorId::kAppInvalid, a_.app + ": a native command runs on no Kubernetes cluster: it needs an image",
                  "name an image, or choose clusters whose shim is process");
    }
    container_ = {{"name", "app"}, {"image", w_.image}};
    container_["securityContext"] = {{"allowPrivilegeEscalation", false}};
    if (!w_.command.empty()) {
      Json command = Json::array();
      for (const auto& word : w_.command) command.push_back(Verbatim(word));
      container_["command"] = std::move(command);
    }
    Environment();
    OTE_CHECK(Files());
    Ports();
    if (Json limits = Resources(w_.resources); !limits.empty()) {
      container_["resources"] = {{"limits", limits}, {"requests", limits}};
    }
    if (w_.health.kind != api::HealthKind::kNone) {
      container_["readinessProbe"] = Probe(w_.health);
      Json live = Probe(w_.health);
      live["initialDelaySeconds"] = Seconds(w_.health.start_ms, 0);
      container_["livenessProbe"] = std::move(live);
    }
    w_.restart == api::RestartPolicy::kAlways ? Deployment() : Job();
    return std::move(out_);
  }

 private:
  void Emit(Json object) { out_.push_back({std::move(object), ""}); }
  Json Head(const char* version, const char* kind, const std::string& name) const {
    return {{"apiVersion", version}, {"kind", kind}, {"metadata", {{"name", name}}}};
  }

  void Environment() {
    Json env = Json::array();
    Json secrets = Json::object();
    const std::set<std::string> secret(w_.secret_env.begin(), w_.secret_env.end());
    for (const auto& [name, value] : w_.env) {
      if (!secret.contains(name)) {
        env.push_back({{"name", name}, {"value", Verbatim(value)}});
        continue;
      }
      secrets[name] = Base64Encode(AsBytes(value));
      env.push_back({{"name", name}, {"valueFrom", {{"secretKeyRef", {{"name", name_ + "-env"}, {"key", name}}}}}});
    }
    if (!env.empty()) container_["env"] = std::move(env);
    if (secrets.empty()) return;
    Json object = Head("v1", "Secret", name_ + "-env");
    object["type"] = "Opaque";
    object["data"] = std::move(secrets);
    Emit(std::move(object));
  }

  Result<void> Files() {
    for (const bool secret : {false, true}) {
      Json data = Json::object();
      Json items = Json::array();
      std::uint64_t size = 0;
      const std::string volume = secret ? "secrets" : "files";
      for (std::size_t i = 0; i < w_.files.size(); ++i) {
        const api::AppFile& file = w_.files[i];
        if (file.secret != secret) continue;
        OTE_TRY(const auto path, artifact_(file.digest));
        OTE_TRY(Bytes content, ReadFile(path, kMaxFiles));
        size += content.size();
        if (size > kMaxFiles) {
          return Fail(
              ErrorId::kAppInvalid,
              fmt::format("{}: its {} have more than {} bytes, which Kubernetes keeps in "
                          "no {}",
                          a_.app, secret ? "secret files" : "files", kMaxFiles, secret ? "Secret" : "ConfigMap"),
              "put large files into the image");
        }
        const std::string key = fmt::format("f{}", i);
        data[key] = Base64Encode(content);
        items.push_back({{"key", key}, {"path", key}, {"mode", file.mode & 0777}});
        const bool relative = !file.path.starts_with('/');
        if (relative) container_["workingDir"] = kWork;
        mounts_.push_back({{"name", volume},
                           {"mountPath", relative ? fmt::format("{}/{}", kWork, file.path) : file.path},
                           {"subPath", key},
                           {"readOnly", true}});
      }
      if (data.empty()) continue;
      Json object = Head("v1", secret ? "Secret" : "ConfigMap", name_ + "-files");
      object[secret ? "data" : "binaryData"] = std::move(data);
      if (secret) object["type"] = "Opaque";
      Emit(std::move(object));
      volumes_.push_back(secret
                             ? Json{{"name", volume}, {"secret", {{"secretName", name_ + "-files"}, {"items", items}}}}
                             : Json{{"name", volume}, {"configMap", {{"name", name_ + "-files"}, {"items", items}}}});
    }
    if (!mounts_.empty()) container_["volumeMounts"] = mounts_;
    return {};
  }

  void Ports() {
    if (w_.ports.empty()) return;
    Json inner = Json::array();
    Json outer = Json::array();
    std::set<std::string> names;
    for (const auto& port : w_.ports) {
      std::string protocol = port.protocol;
      std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      std::string name;
      for (const char c : port.name)
        name.push_back(std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(c)) : '-');
      // At most 15 characters, one letter at least, no hyphen at an end or two in a row (RFC 6335).
      const bool sound = !name.empty() && name.size() <= 15 &&
                         name.find_first_of("abcdefghijklmnopqrstuvwxyz") != name.npos && name.front() != '-' &&
                         name.back() != '-' && name.find("--") == name.npos;
      if (!sound || !names.insert(name).second) {
        name = fmt::format("p{}-{}", port.port, port.protocol);
        names.insert(name);
      }
      Json one = {{"name", name}, {"containerPort", port.port}, {"protocol", protocol}};
      if (port.host_port > 0) one["hostPort"] = port.host_port;
      inner.push_back(std::move(one));
      outer.push_back({{"name", name}, {"port", port.port}, {"targetPort", name}, {"protocol", protocol}});
    }
    container_["ports"] = std::move(inner);
    Json service = Head("v1", "Service", name_);
    service["spec"] = {{"selector", {{kAppLabel, name_}}}, {"ports", std::move(outer)}};
    Emit(std::move(service));
  }

  Json Template(const char* restart) {
    Json spec = {{"containers", Json::array({container_})},
                 {"restartPolicy", restart},
                 {"terminationGracePeriodSeconds", Seconds(w_.stop_ms, 0)},
                 {"automountServiceAccountToken", false},
                 {"securityContext", {{"seccompProfile", {{"type", "RuntimeDefault"}}}}}};
    if (!volumes_.empty()) spec["volumes"] = volumes_;
    return {{"metadata", {{"labels", Json::object()}, {"annotations", {{kDigest, TemplateDigest()}}}}},
            {"spec", std::move(spec)}};
  }
  // Changes when the pods are to be other ones: not with their number.
  std::string TemplateDigest() const {
    api::Workload one = w_;
    one.replicas = 1;
    return api::DigestOf(one);
  }

  void Deployment() {
    Json object = Head("apps/v1", "Deployment", name_);
    object["spec"] = {{"replicas", w_.replicas},
                      {"selector", {{"matchLabels", {{kAppLabel, name_}}}}},
                      {"strategy", {{"type", w_.update == api::UpdateKind::kRecreate ? "Recreate" : "RollingUpdate"}}},
                      {"template", Template("Always")}};
    Emit(std::move(object));
  }

  // A Job's template cannot change: each one is a Job of its own, and the one before is pruned.
  void Job() {
    const bool never = w_.restart == api::RestartPolicy::kNever;
    Json object = Head("batch/v1", "Job", name_ + "-" + Sha256Hex(api::DigestOf(w_)).substr(0, 8));
    object["spec"] = {{"completions", w_.replicas},
                      {"parallelism", w_.replicas},
                      {"backoffLimit", never ? 0 : 1'000'000},
                      {"template", Template(never ? "Never" : "OnFailure")}};
    Emit(std::move(object));
  }

  const api::Assignment& a_;
  const api::Workload& w_;
  const Artifact& artifact_;
  std::string name_;
  Json container_;
  Json mounts_ = Json::array();
  Json volumes_ = Json::array();
  std::vector<Object> out_;
};

Json& MapIn(Json& json, const char* key) {
  Json& value = json[key];
  if (!value.is_object()) value = Json::object();
  return value;
}

void Mark(Json& json, const api::Assignment& assignment, bool ours) {
  const std::string name = NameOfKey(assignment.Key());
  Json& metadata = MapIn(json, "metadata");
  Json& labels = MapIn(metadata, "labels");
  labels[kAppLabel] = name;
  if (ours) {
    labels["app.kubernetes.io/name"] = name;
    labels["app.kubernetes.io/managed-by"] = "ote";
  }
  Json& annotations = MapIn(metadata, "annotations");
  annotations[kAppLabel] = assignment.Key();
  annotations[kRevision] = std::to_string(assignment.revision);
  annotations[kDigest] = assignment.digest;
  Json* pods = PodTemplate(json);
  if (pods == nullptr || pods == &json) return;
  Json& inner = MapIn(MapIn(*pods, "metadata"), "labels");
  inner[kAppLabel] = name;
  if (!ours) return;
  inner["app.kubernetes.io/name"] = name;
  inner["app.kubernetes.io/managed-by"] = "ote";
}

}  // namespace

std::string NameOfKey(const std::string& key) {
  std::string name;
  for (const char c : key) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') {
      name.push_back(c);
    } else if (c >= 'A' && c <= 'Z') {
      name.push_back(static_cast<char>(c - 'A' + 'a'));
    } else {
      name.push_back('-');
    }
  }
  name.erase(0, name.find_first_not_of('-'));
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) name.insert(0, "app-");
  name = name.substr(0, 36);
  while (name.ends_with('-')) name.pop_back();
  if (name == key) return name;
  return fmt::format("{}-{}", name, Sha256Hex(key).substr(0, 8));
}

Result<std::vector<Object>> Translate(const api::Assignment& assignment, const Artifact& artifact) {
  const bool ours = assignment.workload.manifests.empty();
  auto objects = ours ? Maker(assignment, artifact).Make()
                      : ParseManifests(assignment.workload.manifests, assignment.app + ".yaml");
  if (!objects) return objects;
  for (Object& object : *objects) Mark(object.json, assignment, ours);
  return objects;
}

}  // namespace ote::kube
