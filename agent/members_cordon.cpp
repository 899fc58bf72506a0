// cluster.cordon: which clusters take no apps of this tier, at whatever depth below it they are.
#include <fmt/format.h>

#include "agent/members.h"

namespace ote::agent {
namespace {

// One that has no record here: it is further down, or a guest.
struct CordonRow {
  static constexpr std::string_view kKind = "cordon";
  std::string name;
  bool drained = false;

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("drained", self.drained);
  }
};

}  // namespace

Result<void> Members::LoadCordons() {
  OTE_TRY(const auto rows, context_.store.List<CordonRow>());
  for (const auto& row : rows) cordons_[row.name] = {true, row.drained};
  return {};
}

Result<void> Members::SaveCordon(const std::string& name) {
  const auto it = cordons_.find(name);
  if (it != cordons_.end()) return context_.store.Put(CordonRow{name, it->second.drained});
  OTE_CHECK(context_.store.Remove<CordonRow>(name));
  return {};
}

Result<api::Cluster> Members::Cordon(const api::CordonRequest& request) {
  const auto before = Find(request.name);
  if (!before) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", request.name), "ote cluster list");
  }
  if (const auto record = clusters_.find(request.name);
      record != clusters_.end() && !visiting_.contains(request.name)) {
    auto changed = record->second;
    changed.drained = request.drained;
    changed.cordoned = request.cordoned || request.drained;
    if (changed.cordoned != record->second.cordoned || changed.drained != record->second.drained) {
      OTE_CHECK(Save(changed));
      record->second = changed;
    }
    // What was said of it while it was further down, or a guest.
    if (cordons_.erase(request.name) > 0) OTE_CHECK(SaveCordon(request.name));
  } else {
    const auto was =
        cordons_.find(request.name) == cordons_.end() ? std::nullopt : std::optional(cordons_.at(request.name));
    if (request.cordoned || request.drained) {
      cordons_[request.name] = {true, request.drained};
    } else {
      cordons_.erase(request.name);
    }
    if (auto saved = SaveCordon(request.name); !saved) {
      was ? void(cordons_[request.name] = *was) : void(cordons_.erase(request.name));
      return Fail(std::move(saved).error());
    }
  }
  const auto now = Find(request.name);
  if (now->cordoned != before->cordoned || now->drained != before->drained) Changed(*now);
  return Shown(*now);
}

}  // namespace ote::agent
