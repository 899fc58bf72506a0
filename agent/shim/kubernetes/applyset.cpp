#include "agent/shim/kubernetes/applyset.h"

#include <fmt/format.h>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/translate.h"
#include "core/base/files.h"
#include "core/base/version.h"
#include "crypto/sha256.h"

namespace ote::kube {
namespace {

std::string Joined(const std::set<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

Result<ApplyRecord> Read(const std::filesystem::path& path) {
  OTE_TRY(const std::string text, ReadTextFile(path));
  auto json = ParseAnswer(text);
  if (!json) return Fail(ErrorId::kFileFailed, path.string() + ": not a record of what was applied");
  return FromWire<ApplyRecord>(*json);
}

}  // namespace

std::string ApplySetIdOf(const std::string& name, const std::string& name_space, const std::string& kind,
                         const std::string& group) {
  const auto digest = crypto::Sha256(AsBytes(name + "." + name_space + "." + kind + "." + group));
  return "applyset-" + Base64UrlEncode(digest) + "-v1";
}

Resource Member::Kind() const { return {group, version, kind, plural, namespaced, {}}; }

bool Member::IsSame(const Member& other) const {
  return group == other.group && kind == other.kind && name_space == other.name_space && name == other.name;
}

std::set<std::string> ApplyRecord::Spaces() const {
  std::set<std::string> spaces;
  for (const Member& member : members) {
    if (member.namespaced) spaces.insert(member.name_space);
  }
  return spaces;
}

std::string StampOf(const Json& object) {
  const std::string uid = TextAt(object, {"metadata", "uid"});
  const std::int64_t generation = NumberAt(object, {"metadata", "generation"});
  return generation > 0 ? fmt::format("{}:g{}", uid, generation)
                        : fmt::format("{}:v{}", uid, TextAt(object, {"metadata", "resourceVersion"}));
}

Json ParentObject(const ApplyRecord& record, const std::vector<Member>& members) {
  std::set<std::string> kinds;
  std::set<std::string> spaces;
  for (const Member& member : members) {
    if (member.shared) continue;
    kinds.insert(member.Kind().GroupKind());
    if (member.namespaced && member.name_space != record.name_space) spaces.insert(member.name_space);
  }
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata",
           {{"name", record.parent},
            {"namespace", record.name_space},
            {"labels", {{kApplySetId, record.Id()}, {"app.kubernetes.io/managed-by", "ote"}}},
            {"annotations",
             {{kApplySetTooling, fmt::format("ote/v{}", Version())},
              {kApplySetKinds, Joined(kinds)},
              {kApplySetNamespaces, Joined(spaces)},
              {kAppLabel, record.key}}}}}};
}

std::filesystem::path Records::FileOf(const std::string& key) const {
  return folder_ / (NameOfKey(key) + "." + Sha256Hex(key).substr(0, 16) + ".json");
}

Result<std::optional<ApplyRecord>> Records::Load(const std::string& key) const {
  const auto path = FileOf(key);
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return std::optional<ApplyRecord>();
  OTE_TRY(auto record, Read(path));
  return std::optional<ApplyRecord>(std::move(record));
}

Result<void> Records::Save(const ApplyRecord& record) const {
  OTE_CHECK(MakeFolder(folder_, 0700));
  return WriteFileAtomic(FileOf(record.key), AsBytes(DumpJson(ToJson(record), 1)), 0600);
}

Result<void> Records::Remove(const std::string& key) const {
  std::error_code error;
  std::filesystem::remove(FileOf(key), error);
  if (error) return Fail(FileError("removing", FileOf(key), error.value()));
  return SyncFolder(folder_);
}

Result<std::vector<ApplyRecord>> Records::All() const {
  std::vector<ApplyRecord> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (entry.path().extension() != ".json") continue;
    OTE_TRY(auto record, Read(entry.path()));
    out.push_back(std::move(record));
  }
  return out;
}

}  // namespace ote::kube
