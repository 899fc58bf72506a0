// Kubernetes manifests, as text, into objects. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.h"

namespace ote::kube {

struct Object {
  Json json;
  std::string where;  // "web.yaml:12", for messages; "" for what we made ourselves

  std::string ApiVersion() const;
  std::string Kind() const;
  std::string Name() const;
  std::string Namespace() const;
  // "Deployment apps/v1 default/web"
  std::string Label() const;
};

// All documents, lists expanded, in their order. kKubeInvalid with the line for an object without apiVersion, kind or
// name, for fields that only a server sets (managedFields, uid, resourceVersion, status are dropped), and for two of
// one name.
Result<std::vector<Object>> ParseManifests(std::string_view text, std::string_view file);

// In which order they are applied: namespaces, definitions of kinds, what others need, what runs.
enum class Phase { kNamespaces, kDefinitions, kConfig, kWorkloads };
Phase PhaseOf(const Object& object);

// The template of the pods that it makes; nullptr when it makes none. For a Pod the object itself.
Json* PodTemplate(Json& object);

}  // namespace ote::kube
