// What looks at the objects of an app, or tells its pods to begin anew.
#include <algorithm>

#include "agent/shim/kubernetes/apply.h"
#include "agent/shim/kubernetes/diff.h"
#include "agent/shim/kubernetes/json.h"

namespace ote::kube {

Result<void> Applier::Restart(const std::string& key, const std::string& at) {
  OTE_TRY(const auto record, records_.Load(key));
  if (!record) return Fail(ErrorId::kAppUnknown, key + ": it does not run here");
  for (const Member& member : record->members) {
    if (member.group != "apps" ||
        (member.kind != "Deployment" && member.kind != "StatefulSet" && member.kind != "DaemonSet")) {
      continue;
    }
    const Json object = {
        {"apiVersion", member.Kind().ApiVersion()},
        {"kind", member.kind},
        {"metadata", {{"name", member.name}, {"namespace", member.name_space}, {"uid", member.uid}}},
        {"spec", {{"template", {{"metadata", {{"annotations", {{"kubectl.kubernetes.io/restartedAt", at}}}}}}}}}};
    // The annotation is one for whoever wants a restart: kubectl's may be there.
    OTE_CHECK(Patch(member, object, "fieldManager=ote-restart&fieldValidation=Strict&force=true", nullptr));
  }
  return {};
}

Result<std::string> Applier::Diff(const api::Assignment& assignment) {
  OTE_TRY(auto items, Prepare(assignment));
  OTE_TRY(const auto before, records_.Load(assignment.Key()));
  ApplyRecord record = before.value_or(ApplyRecord{});
  if (record.parent.empty()) {
    record.parent = "ote-" + NameOfKey(assignment.Key());
    record.name_space = settings_.name_space;
  }
  std::string out;
  for (Item& item : items) {
    if (auto owned = CheckOwner(item, record, record.digest == assignment.digest); !owned)
      return Fail(In(std::move(owned).error(), item.object));
    Json live;
    Json after = item.object.json;
    if (item.done) continue;
    if (!item.unknown) {
      OTE_TRY(live, Live(item.member));
      if (!item.member.shared) item.object.json["metadata"]["labels"][kPartOf] = record.Id();
      auto dry = Patch(item.member, item.object.json, std::string(kManager) + "&dryRun=All", &after);
      // In a namespace that this very set makes nothing can be tried.
      if (!dry && (dry.error().id != ErrorId::kNotFound || !live.is_null())) {
        return Fail(In(std::move(dry).error(), item.object));
      }
    }
    out += DiffObjects(WhatOf(item.member), live, after);
  }
  for (const Member& member : record.members) {
    const bool wanted =
        std::any_of(items.begin(), items.end(), [&member](const Item& item) { return item.member.IsSame(member); });
    if (wanted || member.shared) continue;
    OTE_TRY(const Json live, Live(member));
    if (!live.is_null()) out += DiffObjects(WhatOf(member), live, Json());
  }
  return out;
}

Result<std::string> Applier::Drift(const api::Assignment& assignment) {
  OTE_TRY(const auto record, records_.Load(assignment.Key()));
  if (!record || record->digest != assignment.digest) return std::string();
  for (const Member& member : record->members) {
    // Jobs may go by themselves when they have ended.
    if (member.shared || member.kind == "Job") continue;
    // From the server's memory; of the object no more than its metadata.
    Request request = Get(member.Kind().Path(member.name_space, member.name) + "?resourceVersion=0");
    request.accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
    auto answer = Call(api_, std::move(request));
    if (!answer) return Fail(std::move(answer).error().Context(WhatOf(member)));
    if (answer->status == 404) return WhatOf(member);
    OTE_CHECK(CheckAnswer(*answer, WhatOf(member)));
    OTE_TRY(const Json live, ParseAnswer(answer->body));
    if (StampOf(live) != member.stamp) return WhatOf(member);
  }
  return std::string();
}

}  // namespace ote::kube
