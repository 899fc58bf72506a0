#include "agent/shim/kubernetes/discovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/shim/kubernetes/json.h"
#include "core/base/log.h"

namespace ote::kube {
namespace {

constexpr std::string_view kAccept =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

std::vector<std::string> Texts(const Json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

const Json& ListAt(const Json& json, std::string_view key) {
  static const Json kEmpty = Json::array();
  const Json& list = At(json, {key});
  return list.is_array() ? list : kEmpty;
}

// What becomes part of a path may be a name only.
bool IsName(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == text.npos;
}

bool IsSound(const Resource& r) {
  return IsName(r.version) && IsName(r.kind) && IsName(r.plural) && (r.group.empty() || IsName(r.group));
}

}  // namespace

bool Resource::Can(std::string_view verb) const { return std::find(verbs.begin(), verbs.end(), verb) != verbs.end(); }

std::string Resource::Path(const std::string& name_space, const std::string& name) const {
  std::string path = group.empty() ? "/api/" + version : "/apis/" + group + "/" + version;
  if (namespaced && !name_space.empty()) path += "/namespaces/" + Escape(name_space);
  path += "/" + plural;
  if (!name.empty()) path += "/" + Escape(name);
  return path;
}

Result<std::vector<Resource>> ParseAggregated(const Json& document) {
  if (TextAt(document, {"kind"}) != "APIGroupDiscoveryList" || !At(document, {"items"}).is_array()) {
    return Fail(ErrorId::kKubeFailed, "discovery: not an APIGroupDiscoveryList");
  }
  std::vector<Resource> out;
  for (const Json& group : ListAt(document, "items")) {
    for (const Json& version : ListAt(group, "versions")) {
      for (const Json& item : ListAt(version, "resources")) {
        Resource r;
        r.group = TextAt(group, {"metadata", "name"});
        r.version = TextAt(version, {"version"});
        r.kind = TextAt(item, {"responseKind", "kind"});
        r.plural = TextAt(item, {"resource"});
        r.namespaced = TextAt(item, {"scope"}) == "Namespaced";
        r.verbs = Texts(At(item, {"verbs"}));
        if (IsSound(r)) out.push_back(std::move(r));
      }
    }
  }
  return out;
}

Result<std::vector<Resource>> ParseResourceList(const Json& document) {
  const std::string group_version = TextAt(document, {"groupVersion"});
  if (group_version.empty() || !At(document, {"resources"}).is_array()) {
    return Fail(ErrorId::kKubeFailed, "discovery: not an APIResourceList");
  }
  const std::size_t slash = group_version.find('/');
  std::vector<Resource> out;
  for (const Json& item : ListAt(document, "resources")) {
    Resource r;
    r.group = slash == group_version.npos ? "" : group_version.substr(0, slash);
    r.version = slash == group_version.npos ? group_version : group_version.substr(slash + 1);
    r.kind = TextAt(item, {"kind"});
    r.plural = TextAt(item, {"name"});
    r.namespaced = At(item, {"namespaced"}) == Json(true);
    r.verbs = Texts(At(item, {"verbs"}));
    if (IsSound(r)) out.push_back(std::move(r));  // a subresource has a slash in its name
  }
  return out;
}

std::vector<std::string> ParseGroupVersions(const Json& document) {
  if (TextAt(document, {"kind"}) == "APIVersions") return Texts(At(document, {"versions"}));
  std::vector<std::string> out;
  for (const Json& group : ListAt(document, "groups")) {
    for (const Json& version : ListAt(group, "versions")) {
      if (const std::string text = TextAt(version, {"groupVersion"}); !text.empty()) out.push_back(text);
    }
  }
  return out;
}

Result<void> Discovery::LoadPlain(const std::string& root, const std::vector<std::string>& versions) {
  for (const std::string& version : versions) {
    const auto slash = version.find('/');
    if (!IsName(version.substr(0, slash)) || (slash != version.npos && !IsName(version.substr(slash + 1)))) continue;
    auto document = CallJson(api_, Get(root + "/" + version), "discovery of " + version);
    // An aggregated API whose server is away takes nobody else's kinds with it.
    if (!document) {
      log::Warn("kinds of a group are not known", {{"group", version}, {"why", document.error().message}});
      continue;
    }
    if (auto some = ParseResourceList(*document)) loading_.insert(loading_.end(), some->begin(), some->end());
  }
  return {};
}

Result<void> Discovery::Load(const std::string& root) {
  Request request = Get(root);
  request.accept = std::string(kAccept);
  OTE_TRY(const Json document, CallJson(api_, std::move(request), "discovery"));
  if (TextAt(document, {"kind"}) != "APIGroupDiscoveryList") return LoadPlain(root, ParseGroupVersions(document));
  OTE_TRY(const auto some, ParseAggregated(document));
  loading_.insert(loading_.end(), some.begin(), some.end());
  return {};
}

Result<void> Discovery::Refresh() {
  loading_.clear();
  OTE_CHECK(Load("/api"));
  OTE_CHECK(Load("/apis"));
  resources_ = std::move(loading_);
  return {};
}

std::optional<Resource> Discovery::Known(const std::string& api_version, const std::string& kind) const {
  for (const Resource& r : resources_) {
    if (r.kind == kind && r.ApiVersion() == api_version) return r;
  }
  return std::nullopt;
}

Result<Resource> Discovery::Find(const std::string& api_version, const std::string& kind) {
  if (const auto known = Known(api_version, kind)) return *known;
  OTE_CHECK(Refresh());
  if (const auto known = Known(api_version, kind)) return *known;
  return Fail(ErrorId::kKubeInvalid, fmt::format("{} {}: the cluster has no such kind", api_version, kind));
}

}  // namespace ote::kube
