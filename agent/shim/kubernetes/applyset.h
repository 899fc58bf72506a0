// Which objects an app owns: the labels and annotations of an ApplySet (KEP-3659), and our own record of what we
// applied, by UID. A label alone never makes us delete anything.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/discovery.h"
#include "core/api/app.h"

namespace ote::kube {

inline constexpr const char* kApplySetId = "applyset.kubernetes.io/id";
inline constexpr const char* kApplySetTooling = "applyset.kubernetes.io/tooling";
inline constexpr const char* kApplySetKinds = "applyset.kubernetes.io/contains-group-kinds";
inline constexpr const char* kApplySetNamespaces = "applyset.kubernetes.io/additional-namespaces";
inline constexpr const char* kPartOf = "applyset.kubernetes.io/part-of";

// "applyset-<base64url(sha256(<name>.<namespace>.<kind>.<group>))>-v1"
std::string ApplySetIdOf(const std::string& name, const std::string& name_space, const std::string& kind,
                         const std::string& group);

struct Member {
  std::string group, version, kind, plural;
  bool namespaced = false;
  std::string name_space, name;
  std::string uid;              // "" when it was about to be applied, and nobody knows yet whether it was
  bool shared = false;          // it was there before, and is not ours to delete
  std::int64_t generation = 0;  // that the last apply made
  std::string stamp;            // of the object as the last apply left it; see StampOf

  Resource Kind() const;
  // Whether it names the same object, whatever the version.
  bool IsSame(const Member& other) const;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("group", self.group);
    v("version", self.version);
    v("kind", self.kind);
    v("plural", self.plural);
    v("namespaced", self.namespaced);
    v("namespace", self.name_space);
    v("name", self.name);
    v("uid", self.uid);
    v("shared", self.shared);
    v("generation", self.generation);
    v("stamp", self.stamp);
  }
};

// Of one app; a file of its own, written before and after the server is asked.
struct ApplyRecord {
  std::string key;
  std::string app, from;
  std::int64_t revision = 0;
  std::string digest;  // of the workload that was applied whole; "" when the last apply did not end
  std::string parent, name_space;
  std::string parent_uid;
  std::vector<Member> members;

  // The namespaces of its members.
  std::set<std::string> Spaces() const;
  std::string Id() const { return ApplySetIdOf(parent, name_space, "ConfigMap", ""); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("key", self.key, kRequired);
    v("app", self.app);
    v("from", self.from);
    v("revision", self.revision);
    v("digest", self.digest);
    v("parent", self.parent);
    v("namespace", self.name_space);
    v("parentUid", self.parent_uid);
    v("members", self.members);
  }
};

// Differs when somebody changed what is wanted of an object, or made it again: its UID, with its generation where it
// has one (a status changes none), or else its version.
std::string StampOf(const Json& object);

// The parent object that lists the kinds and namespaces of these members.
Json ParentObject(const ApplyRecord& record, const std::vector<Member>& members);

// The records in a folder. kFileFailed, kNoSpace.
class Records {
 public:
  explicit Records(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::optional<ApplyRecord>> Load(const std::string& key) const;
  Result<void> Save(const ApplyRecord& record) const;
  Result<void> Remove(const std::string& key) const;
  Result<std::vector<ApplyRecord>> All() const;

 private:
  std::filesystem::path FileOf(const std::string& key) const;
  std::filesystem::path folder_;
};

}  // namespace ote::kube
