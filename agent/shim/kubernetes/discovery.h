// What kinds an API server knows, and where they stand: aggregated discovery (v2, then v2beta1), or the plain one.
//
// Not thread-safe: of the worker.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/http.h"

namespace ote::kube {

struct Resource {
  std::string group;  // "" for core
  std::string version;
  std::string kind;
  std::string plural;
  bool namespaced = false;
  std::vector<std::string> verbs;

  std::string ApiVersion() const { return group.empty() ? version : group + "/" + version; }
  std::string GroupKind() const { return group.empty() ? kind : kind + "." + group; }
  bool Can(std::string_view verb) const;
  // "/apis/apps/v1/namespaces/NS/deployments/NAME"; all of the kind without a name; of all namespaces without one.
  std::string Path(const std::string& name_space, const std::string& name) const;

  friend bool operator==(const Resource&, const Resource&) = default;
};

// A document of aggregated discovery, of `/api` or of `/apis`.
Result<std::vector<Resource>> ParseAggregated(const Json& document);
// An APIResourceList.
Result<std::vector<Resource>> ParseResourceList(const Json& document);
// The group versions of an APIVersions or an APIGroupList.
std::vector<std::string> ParseGroupVersions(const Json& document);

class Discovery {
 public:
  explicit Discovery(Api& api) : api_(api) {}
  // Asks the server when the kind is not known yet; kKubeInvalid when the server does not know it either.
  Result<Resource> Find(const std::string& api_version, const std::string& kind);
  // The same from what is known, without a question.
  std::optional<Resource> Known(const std::string& api_version, const std::string& kind) const;
  Result<void> Refresh();

 private:
  Result<void> Load(const std::string& root);
  Result<void> LoadPlain(const std::string& root, const std::vector<std::string>& versions);

  Api& api_;
  std::vector<Resource> loading_;
  std::vector<Resource> resources_;
};

}  // namespace ote::kube
