// Brings the objects of an app to an API server, and takes them away again.
//
// Server-side apply with the field manager "ote", strict validation and no force: what somebody else set is a conflict
// that is told, never taken. In order: namespaces, definitions of kinds (and then until the server serves them), what
// others need, what runs; then what is no longer wanted is deleted, by UID. Any step may be the last before a crash:
// to apply again heals it. Not thread-safe, and it waits: of the worker.
#pragma once

#include <atomic>

#include "agent/shim/kubernetes/applyset.h"
#include "agent/shim/kubernetes/manifests.h"
#include "agent/shim/kubernetes/translate.h"

namespace ote::kube {

class Applier {
 public:
  struct Settings {
    std::string name_space = "default";  // of what names none, and of the parents
    std::chrono::seconds served{60};     // how long a new kind may take until it is served, or an old object to go
  };

  Applier(Api& api, Records records, Artifact artifact, Settings settings, const std::atomic<bool>* stop);

  Result<ApplyRecord> Apply(const api::Assignment& assignment);
  Result<void> Remove(const std::string& key);
  // A new annotation on the pod templates, by a manager of its own.
  Result<void> Restart(const std::string& key, const std::string& at);
  // The text of what Apply would change.
  Result<std::string> Diff(const api::Assignment& assignment);

  // What of an app that was applied whole is not as it was left: one of its objects that changed or is gone, "" for
  // none. Some of what it names is no change of what we set; to apply again tells, and costs little.
  Result<std::string> Drift(const api::Assignment& assignment);

  // What the last Apply set right that somebody had changed or removed since it was applied whole.
  const std::vector<std::string>& Healed() const { return healed_; }
  const Records& Files() const { return records_; }

 private:
  struct Item {
    Object object;
    Member member;
    bool defined = false;  // its kind is, in this very set
    bool done = false;     // a Job that ran and is gone: not run again
    bool unknown = false;  // and it is not served yet
    bool going = false;    // one of that name is being deleted
    std::string before;    // the stamp of the one that there was
  };

  Result<std::vector<Item>> Prepare(const api::Assignment& assignment);
  Result<void> Resolve(Item& item);
  // `applied`: the same workload was applied whole before.
  Result<void> CheckOwner(Item& item, const ApplyRecord& record, bool applied);
  Result<void> ApplyParent(ApplyRecord& record, const std::vector<Member>& members);
  Result<void> ApplyItem(Item& item, const ApplyRecord& record);
  Result<void> AwaitServed(Item& item);
  Result<void> AwaitGone(Item& item, const ApplyRecord& record);
  // Forgets those that are gone. What could not be deleted stays, and its error is returned.
  Result<void> Delete(std::vector<Member>& members, const std::string& id);
  Result<void> DeleteOne(const Member& member, const std::string& id);
  Result<void> Patch(const Member& member, const Json& object, const std::string& query, Json* answer);
  // The live object; null when there is none.
  Result<Json> Live(const Member& member);
  bool Pause(std::chrono::milliseconds time) const;

  Api& api_;
  Discovery discovery_;
  Records records_;
  Artifact artifact_;
  Settings settings_;
  const std::atomic<bool>* stop_;
  std::vector<std::string> healed_;
};

// For applier's files: how an object is called, with where it stands in the manifests if it does.
inline constexpr const char* kManager = "fieldManager=ote&fieldValidation=Strict";
std::string WhatOf(const Member& member);
Error In(Error error, const Object& object);

}  // namespace ote::kube
