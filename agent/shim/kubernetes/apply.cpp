#include "agent/shim/kubernetes/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "agent/shim/kubernetes/fit.h"
#include "agent/shim/kubernetes/json.h"

namespace ote::kube {
namespace {

// Whether the set defines the kind of the object.
bool Defines(const std::vector<Object>& objects, const Object& wanted) {
  const std::string version = wanted.ApiVersion();
  for (const Object& object : objects) {
    if (object.Kind() == "CustomResourceDefinition" &&
        TextAt(object.json, {"spec", "names", "kind"}) == wanted.Kind() &&
        version.starts_with(TextAt(object.json, {"spec", "group"}) + "/")) {
      return true;
    }
  }
  return false;
}

// The way of a kind that is not served yet, as its definition tells it.
void FromDefinition(const std::vector<Object>& objects, const Object& wanted, Member& member) {
  for (const Object& object : objects) {
    if (TextAt(object.json, {"spec", "names", "kind"}) != wanted.Kind()) continue;
    member.group = TextAt(object.json, {"spec", "group"});
    member.plural = TextAt(object.json, {"spec", "names", "plural"});
    member.namespaced = TextAt(object.json, {"spec", "scope"}) == "Namespaced";
  }
  const std::string version = wanted.ApiVersion();
  member.version = version.substr(version.find('/') + 1);
  member.kind = wanted.Kind();
}

// Whether the server refuses what it will take a little later: what goes makes room, what has just come is made ready.
// It has no codes for these.
bool IsPassing(const Error& error) {
  for (const std::string_view words : {"because it is being terminated", "custom resource definition is terminating",
                                       "error looking up service account"}) {
    if (error.message.find(words) != error.message.npos) return true;
  }
  return false;
}

}  // namespace

std::string WhatOf(const Member& m) {
  return fmt::format("{} {}{}", m.kind, m.name_space.empty() ? "" : m.name_space + "/", m.name);
}

Error In(Error error, const Object& object) {
  return object.where.empty() ? std::move(error) : std::move(error).Context(object.where);
}

Applier::Applier(Api& api, Records records, Artifact artifact, Settings settings, const std::atomic<bool>* stop)
    : api_(api),
      discovery_(api),
      records_(std::move(records)),
      artifact_(std::move(artifact)),
      settings_(std::move(settings)),
      stop_(stop) {}

bool Applier::Pause(std::chrono::milliseconds time) const {
  for (; time.count() > 0 && !*stop_; time -= std::chrono::milliseconds(50)) {
    std::this_thread::sleep_for(std::min(time, std::chrono::milliseconds(50)));
  }
  return !*stop_;
}

Result<void> Applier::Resolve(Item& item) {
  OTE_TRY(const Resource kind, discovery_.Find(item.object.ApiVersion(), item.object.Kind()));
  if (!kind.Can("patch") || !kind.Can("create")) {
    return Fail(ErrorId::kKubeInvalid, fmt::format("{}: the kind cannot be applied", item.object.Label()));
  }
  item.member.group = kind.group;
  item.member.version = kind.version;
  item.member.kind = kind.kind;
  item.member.plural = kind.plural;
  item.member.namespaced = kind.namespaced;
  item.unknown = false;
  return {};
}

Result<std::vector<Applier::Item>> Applier::Prepare(const api::Assignment& assignment) {
  OTE_TRY(auto objects, Translate(assignment, artifact_));
  std::stable_sort(objects.begin(), objects.end(),
                   [](const Object& a, const Object& b) { return PhaseOf(a) < PhaseOf(b); });
  std::vector<Item> items;
  for (const Object& object : objects) {
    Item item;
    item.object = object;
    item.defined = Defines(objects, object);
    if (auto resolved = Resolve(item); !resolved) {
      if (resolved.error().id != ErrorId::kKubeInvalid || !item.defined) {
        return Fail(In(std::move(resolved).error(), object));
      }
      FromDefinition(objects, object, item.member);
      item.unknown = true;
    }
    Json& metadata = item.object.json["metadata"];
    if (!item.member.namespaced) {
      if (!object.Namespace().empty()) {
        return Fail(In(
            Error{ErrorId::kKubeInvalid, fmt::format("{}: a {} is in no namespace", object.Label(), object.Kind()), ""},
            object));
      }
    } else if (object.Namespace().empty()) {
      metadata["namespace"] = settings_.name_space;
    }
    item.member.name = item.object.Name();
    item.member.name_space = item.member.namespaced ? item.object.Namespace() : "";
    for (const Item& other : items) {
      if (!other.member.IsSame(item.member)) continue;
      return Fail(In(Error{ErrorId::kKubeInvalid, item.object.Label() + " stands there twice", ""}, object));
    }
    FitForApply(item.object.json);
    items.push_back(std::move(item));
  }
  return items;
}

Result<Json> Applier::Live(const Member& member) {
  Request request = Get(member.Kind().Path(member.name_space, member.name));
  request.patience = std::chrono::seconds(10);  // a server that is away holds up those who wait in turn
  auto answer = Call(api_, std::move(request));
  if (!answer) return Fail(std::move(answer).error().Context(WhatOf(member)));
  if (answer->status == 404) return Json();
  OTE_CHECK(CheckAnswer(*answer, WhatOf(member)));
  return ParseAnswer(answer->body);
}

Result<void> Applier::CheckOwner(Item& item, const ApplyRecord& record, bool applied) {
  if (item.unknown) return {};
  OTE_TRY(const Json live, Live(item.member));
  // What is on its way out is nobody's any more: it is waited for, and made anew.
  const bool going = !TextAt(live, {"metadata", "deletionTimestamp"}).empty();
  if (live.is_null() || going) {
    // Jobs may go by themselves when they have ended; what was applied whole is not begun anew.
    for (const Member& member : record.members) {
      if (member.kind == "Job" && member.IsSame(item.member) && !member.uid.empty() && applied) {
        item.member = member;
        item.done = true;
      }
    }
    item.going = going && !item.done;
    return {};
  }
  item.before = StampOf(live);
  const std::string uid = TextAt(live, {"metadata", "uid"});
  const std::string set = TextAt(live, {"metadata", "labels", kPartOf});
  if (set == record.Id()) return {};
  for (const Member& member : record.members) {
    if (member.IsSame(item.member) && member.uid == uid && !member.shared && set.empty()) return {};
  }
  const Phase phase = PhaseOf(item.object);
  if (set.empty() && (phase == Phase::kNamespaces || phase == Phase::kDefinitions)) {
    item.member.shared = true;
    return {};
  }
  const std::string by = TextAt(live, {"metadata", "labels", "app.kubernetes.io/managed-by"});
  return Fail(ErrorId::kKubeConflict,
              fmt::format("{}: it is there already, and {}", WhatOf(item.member),
                          !set.empty()  ? "belongs to another set, " + set
                          : !by.empty() ? "is managed by " + by
                                        : std::string("was not made by this app")),
              "give it another name, or remove the one that is there");
}

Result<void> Applier::Patch(const Member& member, const Json& object, const std::string& query, Json* answer) {
  Request request;
  request.method = "PATCH";
  request.path = member.Kind().Path(member.name_space, member.name) + "?" + query;
  request.content_type = "application/apply-patch+yaml";
  request.body = DumpJson(object);
  OTE_TRY(Json json, CallJson(api_, std::move(request), WhatOf(member)));
  if (answer != nullptr) *answer = std::move(json);
  return {};
}

Result<void> Applier::ApplyParent(ApplyRecord& record, const std::vector<Member>& members) {
  Member parent{"", "v1", "ConfigMap", "configmaps", true, record.name_space, record.parent, "", false, 0, ""};
  OTE_TRY(const Json live, Live(parent));
  if (!live.is_null() && TextAt(live, {"metadata", "labels", kApplySetId}) != record.Id()) {
    return Fail(ErrorId::kKubeConflict, WhatOf(parent) + ": it is there already, and was not made by this app",
                "rename it, or remove it");
  }
  // It is ours alone: what others changed in it is set right.
  Json answer;
  OTE_CHECK(Patch(parent, ParentObject(record, members), std::string(kManager) + "&force=true", &answer));
  record.parent_uid = TextAt(answer, {"metadata", "uid"});
  return {};
}

Result<void> Applier::AwaitServed(Item& item) {
  using std::chrono::milliseconds;
  const SystemClock clock;
  const auto until = clock.SteadyNow() + settings_.served;
  for (milliseconds wait{100}; item.unknown; wait = std::min(wait * 2, milliseconds(2000))) {
    auto resolved = Resolve(item);
    if (resolved) return {};
    if (resolved.error().id != ErrorId::kKubeInvalid || clock.SteadyNow() + wait > until || !Pause(wait)) {
      return resolved;
    }
  }
  return {};
}

Result<void> Applier::AwaitGone(Item& item, const ApplyRecord& record) {
  using std::chrono::milliseconds;
  const SystemClock clock;
  const auto until = clock.SteadyNow() + settings_.served;
  for (milliseconds wait{200}; item.going; wait = std::min(wait * 2, milliseconds(2000))) {
    if (clock.SteadyNow() + wait > until || !Pause(wait)) {
      return Fail(ErrorId::kKubeFailed, WhatOf(item.member) + ": the one that was there before is still being deleted",
                  "see what holds it: its finalizers, or what is in it");
    }
    item.going = false;
    OTE_CHECK(CheckOwner(item, record, false));
  }
  return {};
}

Result<void> Applier::ApplyItem(Item& item, const ApplyRecord& record) {
  OTE_CHECK(AwaitServed(item));
  OTE_CHECK(AwaitGone(item, record));
  if (!item.member.shared) item.object.json["metadata"]["labels"][kPartOf] = record.Id();
  Json answer;
  using std::chrono::milliseconds;
  const SystemClock clock;
  const auto until = clock.SteadyNow() + settings_.served;
  for (milliseconds wait{200};; wait = std::min(wait * 2, milliseconds(2000))) {
    auto applied = Patch(item.member, item.object.json, kManager, &answer);
    if (applied) break;
    // What discovery told may be older than a definition that went and came again, and servers learn one by one.
    const bool soon = IsPassing(applied.error()) || (item.defined && applied.error().id == ErrorId::kNotFound);
    if (!soon || clock.SteadyNow() + wait > until || !Pause(wait)) return applied;
  }
  item.member.uid = TextAt(answer, {"metadata", "uid"});
  item.member.generation = NumberAt(answer, {"metadata", "generation"});
  item.member.stamp = StampOf(answer);
  return {};
}

Result<ApplyRecord> Applier::Apply(const api::Assignment& assignment) {
  healed_.clear();
  OTE_TRY(auto items, Prepare(assignment));
  OTE_TRY(auto before, records_.Load(assignment.Key()));
  ApplyRecord record = before.value_or(ApplyRecord{});
  const bool applied = record.digest == assignment.digest;
  // What was applied whole is set right, as far as others let it: one conflict holds up nothing else.
  const bool again = applied && record.revision == assignment.revision;
  record.key = assignment.Key();
  record.app = assignment.app;
  record.from = assignment.from;
  record.revision = assignment.revision;
  if (!again) record.digest.clear();
  if (record.parent.empty()) {
    record.parent = "ote-" + NameOfKey(record.key);
    record.name_space = settings_.name_space;
  }
  Result<void> first{};
  // Whether to go on.
  const auto failed = [&first, again](Result<void> how, Item& item) {
    item.done = true;
    const bool away = how.error().id == ErrorId::kKubeUnreachable;
    if (first) first = Fail(In(std::move(how).error(), item.object));
    return again && !away;
  };
  for (Item& item : items) {
    auto owned = CheckOwner(item, record, applied);
    if (!owned && !failed(std::move(owned), item)) return Fail(first.error());
  }
  // All that there was and all that there will be: on disk, and in the parent, before anything is made.
  for (const Item& item : items) {
    const bool listed = std::any_of(record.members.begin(), record.members.end(),
                                    [&item](const Member& m) { return m.IsSame(item.member); });
    if (!listed) record.members.push_back(item.member);
  }
  OTE_CHECK(records_.Save(record));
  OTE_CHECK(ApplyParent(record, record.members));
  for (Item& item : items) {
    if (item.done) continue;
    auto result = ApplyItem(item, record);
    if (!result) {
      if (failed(std::move(result), item)) continue;
      break;
    }
    if (again && item.member.stamp != item.before) healed_.push_back(WhatOf(item.member));
    for (Member& m : record.members) {
      if (m.IsSame(item.member)) m = item.member;
    }
  }
  OTE_CHECK(records_.Save(record));
  if (!first) return Fail(first.error());
  // What is no longer wanted goes, the last to come first.
  std::vector<Member> kept;
  std::vector<Member> gone;
  for (const Member& member : record.members) {
    const bool wanted =
        std::any_of(items.begin(), items.end(), [&member](const Item& item) { return item.member.IsSame(member); });
    (wanted ? kept : gone).push_back(member);
  }
  const bool pruned = !gone.empty();
  auto deleted = Delete(gone, record.Id());
  record.members = kept;
  record.members.insert(record.members.end(), gone.begin(), gone.end());
  if (deleted && pruned) OTE_CHECK(ApplyParent(record, record.members));
  if (deleted) record.digest = assignment.digest;
  OTE_CHECK(records_.Save(record));
  if (!deleted) return Fail(std::move(deleted).error());
  return record;
}

Result<void> Applier::DeleteOne(const Member& member, const std::string& id) {
  if (member.shared) return {};
  std::string uid = member.uid;
  if (uid.empty()) {
    // We were about to make it: it is ours when it says so.
    OTE_TRY(const Json live, Live(member));
    if (live.is_null() || TextAt(live, {"metadata", "labels", kPartOf}) != id) return {};
    uid = TextAt(live, {"metadata", "uid"});
    if (uid.empty()) return {};
  }
  Request request;
  request.method = "DELETE";
  request.path = member.Kind().Path(member.name_space, member.name);
  request.body = DumpJson(Json{{"apiVersion", "v1"},
                               {"kind", "DeleteOptions"},
                               {"propagationPolicy", "Background"},
                               {"preconditions", {{"uid", uid}}}});
  auto answer = Call(api_, std::move(request));
  if (!answer) return Fail(std::move(answer).error().Context(WhatOf(member)));
  // Gone, or another object of that name: either way what we made is no longer there.
  if (answer->status == 404 || answer->status == 409) return {};
  return CheckAnswer(*answer, WhatOf(member));
}

Result<void> Applier::Delete(std::vector<Member>& members, const std::string& id) {
  std::vector<Member> left;
  Result<void> result{};
  for (auto it = members.rbegin(); it != members.rend(); ++it) {
    auto deleted = DeleteOne(*it, id);
    if (deleted) continue;
    left.insert(left.begin(), *it);
    if (result) result = std::move(deleted);
  }
  members = std::move(left);
  return result;
}

Result<void> Applier::Remove(const std::string& key) {
  OTE_TRY(auto record, records_.Load(key));
  if (!record) return {};
  record->digest.clear();
  auto deleted = Delete(record->members, record->Id());
  OTE_CHECK(records_.Save(*record));
  OTE_CHECK(deleted);
  const Member parent{
      "", "v1", "ConfigMap", "configmaps", true, record->name_space, record->parent, record->parent_uid, false, 0, ""};
  // Its own label is the id, not a membership: without a UID it is looked at first.
  if (!parent.uid.empty()) {
    OTE_CHECK(DeleteOne(parent, record->Id()));
  } else {
    OTE_TRY(const Json live, Live(parent));
    if (TextAt(live, {"metadata", "labels", kApplySetId}) == record->Id()) {
      Member found = parent;
      found.uid = TextAt(live, {"metadata", "uid"});
      OTE_CHECK(DeleteOne(found, record->Id()));
    }
  }
  return records_.Remove(key);
}

}  // namespace ote::kube
