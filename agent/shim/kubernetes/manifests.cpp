#include "agent/shim/kubernetes/manifests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "agent/shim/kubernetes/json.h"
#include "core/base/yaml_documents.h"

namespace ote::kube {
namespace {

constexpr std::size_t kMaxObjects = 2000;

std::string Place(const SourceMap& map, const std::string& pointer) {
  const std::string at = map.At(pointer);
  return at.empty() ? "the manifests" : at;
}

tl::unexpected<Error> Bad(const std::string& where, std::string_view why) {
  return Fail(ErrorId::kKubeInvalid, fmt::format("{}: {}", where, why));
}

// What a server writes, and what stands in objects that were copied out of a cluster.
void DropServerFields(Json& json) {
  Json& metadata = json["metadata"];
  for (const char* field : {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
                            "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    metadata.erase(field);
  }
  json.erase("status");
}

Result<void> Add(Json json, const SourceMap& map, const std::string& pointer, std::vector<Object>& out) {
  // A map begins where its first key stands.
  std::string where = Place(map, pointer);
  for (const char* key : {"/metadata", "/kind", "/apiVersion"}) {
    if (map.lines.contains(pointer + key)) where = Place(map, pointer + key);
  }
  if (!json.is_object()) return Bad(where, "not an object");
  const Json& kind = At(json, {"kind"});
  if (!kind.is_string() || kind.get_ref<const std::string&>().empty()) return Bad(where, "kind is missing");
  if (TextAt(json, {"apiVersion"}).empty()) return Bad(where, "apiVersion is missing");
  if (At(json, {"items"}).is_array() && kind.get_ref<const std::string&>().ends_with("List")) {
    const Json& items = json["items"];
    for (std::size_t i = 0; i < items.size(); ++i) {
      OTE_CHECK(Add(items[i], map, fmt::format("{}/items/{}", pointer, i), out));
    }
    return {};
  }
  if (!At(json, {"metadata"}).is_object()) return Bad(where, "metadata is missing");
  if (!TextAt(json, {"metadata", "generateName"}).empty()) {
    return Bad(where, "generateName makes another object each time; give it a name");
  }
  if (TextAt(json, {"metadata", "name"}).empty()) return Bad(where, "metadata.name is missing");
  for (const std::string_view map_name : {"labels", "annotations"}) {
    const Json& labels = At(json, {"metadata", map_name});
    if (labels.is_null()) continue;
    if (!labels.is_object()) return Bad(where, fmt::format("metadata.{} is not a map", map_name));
    for (const auto& [key, value] : labels.items()) {
      if (!value.is_string()) {
        return Bad(Place(map, fmt::format("{}/metadata/{}/{}", pointer, map_name, key)),
                   fmt::format("metadata.{}.{} is not a string; put it in quotes", map_name, key));
      }
      if (key.starts_with("applyset.kubernetes.io/")) {
        return Bad(Place(map, fmt::format("{}/metadata/{}/{}", pointer, map_name, key)),
                   "applyset.kubernetes.io/ is for those who apply; leave it out");
      }
    }
  }
  DropServerFields(json);
  if (out.size() == kMaxObjects) return Bad(where, fmt::format("more than {} objects", kMaxObjects));
  out.push_back({std::move(json), where});
  return {};
}

}  // namespace

std::string Object::ApiVersion() const { return TextAt(json, {"apiVersion"}); }
std::string Object::Kind() const { return TextAt(json, {"kind"}); }
std::string Object::Name() const { return TextAt(json, {"metadata", "name"}); }
std::string Object::Namespace() const { return TextAt(json, {"metadata", "namespace"}); }
std::string Object::Label() const {
  const std::string ns = Namespace();
  return fmt::format("{} {} {}{}", Kind(), ApiVersion(), ns.empty() ? "" : ns + "/", Name());
}

Result<std::vector<Object>> ParseManifests(std::string_view text, std::string_view file) {
  OTE_TRY(auto documents, ParseYamlDocuments(text, file));
  std::vector<Object> out;
  for (auto& document : documents) OTE_CHECK(Add(std::move(document.value), document.map, "", out));
  if (out.empty()) return Fail(ErrorId::kKubeInvalid, fmt::format("{}: it has no object", file));
  std::set<std::string> seen;
  for (const Object& object : out) {
    // Two versions of one kind are one object.
    const std::string version = object.ApiVersion();
    const std::string group = version.find('/') == version.npos ? "" : version.substr(0, version.find('/'));
    if (!seen.insert(fmt::format("{}\n{}\n{}\n{}", group, object.Kind(), object.Namespace(), object.Name())).second) {
      return Bad(object.where, fmt::format("{} stands there twice", object.Label()));
    }
  }
  return out;
}

Phase PhaseOf(const Object& object) {
  static constexpr std::array<std::string_view, 12> kWorkloadGroups = {
      "apps/v1", "apps/v1beta1", "apps/v1beta2", "batch/v1", "batch/v1beta1", "autoscaling/v1", "autoscaling/v2"};
  const std::string kind = object.Kind();
  const std::string version = object.ApiVersion();
  if (version == "v1" && kind == "Namespace") return Phase::kNamespaces;
  if (kind == "CustomResourceDefinition") return Phase::kDefinitions;
  if (version == "v1") {
    return kind == "Pod" || kind == "ReplicationController" ? Phase::kWorkloads : Phase::kConfig;
  }
  if (std::find(kWorkloadGroups.begin(), kWorkloadGroups.end(), version) != kWorkloadGroups.end()) {
    return Phase::kWorkloads;
  }
  // A hook that stands before the pods of what answers it would refuse them.
  if (kind.ends_with("WebhookConfiguration") || kind == "APIService") return Phase::kWorkloads;
  return version.find(".k8s.io/") != version.npos || version.starts_with("policy/") ? Phase::kConfig
                                                                                    : Phase::kWorkloads;
}

Json* PodTemplate(Json& object) {
  const std::string kind = TextAt(object, {"kind"});
  const std::string version = TextAt(object, {"apiVersion"});
  if (kind == "Pod" && version == "v1") return &object;
  const bool holds = (version.starts_with("apps/") || version.starts_with("batch/") || version == "v1") &&
                     (kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" || kind == "ReplicaSet" ||
                      kind == "ReplicationController" || kind == "Job" || kind == "CronJob");
  if (!holds) return nullptr;
  Json* spec = object.contains("spec") && object["spec"].is_object() ? &object["spec"] : nullptr;
  if (spec != nullptr && kind == "CronJob") {
    Json* job = spec->contains("jobTemplate") ? &(*spec)["jobTemplate"] : nullptr;
    spec = job != nullptr && job->is_object() && job->contains("spec") && (*job)["spec"].is_object() ? &(*job)["spec"]
                                                                                                     : nullptr;
  }
  if (spec == nullptr || !spec->contains("template") || !(*spec)["template"].is_object()) return nullptr;
  return &(*spec)["template"];
}

}  // namespace ote::kube
