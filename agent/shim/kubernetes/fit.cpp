#include "agent/shim/kubernetes/fit.h"

#include "agent/shim/kubernetes/json.h"

namespace ote::kube {
namespace {

// Against Recreate or OnDelete the server refuses the values of a rolling update, its own ones, too, and null takes
// nothing out. Ours go when we no longer set them.
void OwnRollingUpdate(Json& object, const char* field, const Json& defaults) {
  if (!At(object, {"spec"}).is_object()) return;
  Json& strategy = object["spec"][field];
  if (strategy.is_null()) strategy = Json::object();
  if (!strategy.is_object()) return;
  const std::string type = TextAt(strategy, {"type"});
  Json values = At(strategy, {"rollingUpdate"});
  if (values.is_null()) strategy.erase("rollingUpdate");
  if (!type.empty() && type != "RollingUpdate") return;
  if (values.is_null()) values = Json::object();
  if (!values.is_object()) return;
  for (const auto& [name, value] : defaults.items()) {
    if (At(values, {name}).is_null()) values[name] = value;
  }
  strategy["rollingUpdate"] = std::move(values);
}

// The server writes stringData over data and forgets who did: a key that leaves stringData would stay for ever.
void OwnSecretData(Json& object) {
  const Json text = At(object, {"stringData"});
  Json data = At(object, {"data"});
  if (data.is_null()) data = Json::object();
  if (!text.is_object() || !data.is_object()) return;
  for (const auto& [key, value] : text.items()) {
    if (!value.is_string()) return;
    data[key] = Base64Encode(AsBytes(value.get_ref<const std::string&>()));
  }
  object["data"] = std::move(data);
  object.erase("stringData");
}

}  // namespace

void FitForApply(Json& object) {
  const std::string version = TextAt(object, {"apiVersion"});
  const std::string kind = TextAt(object, {"kind"});
  if (version == "apps/v1" && kind == "Deployment") {
    OwnRollingUpdate(object, "strategy", {{"maxSurge", "25%"}, {"maxUnavailable", "25%"}});
  } else if (version == "apps/v1" && kind == "StatefulSet") {
    OwnRollingUpdate(object, "updateStrategy", {{"partition", 0}});
  } else if (version == "v1" && kind == "Secret") {
    OwnSecretData(object);
  }
}

}  // namespace ote::kube
