#include "core/site/by_hand/hand_site.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/site/by_hand/taking.h"

namespace ote::site {

bool HandSite::IsByHand(const store::StateFolder& folder) {
  if (const auto member = folder.LoadMembership()) return member->role == crypto::Role::kMember && !member->parent;
  // Before the grant there are keys and the request, and nothing to connect to.
  std::error_code ignored;
  return std::filesystem::exists(folder.SignKeyFile(), ignored) && std::filesystem::exists(folder.Database(), ignored);
}

Result<HandSite> HandSite::Open(const store::StateFolder& folder, const Clock& clock) {
  auto member = folder.LoadMembership();
  if (!member && member.error().id != ErrorId::kNotEnrolled) return Fail(std::move(member).error());
  std::error_code ignored;
  if (!member && !std::filesystem::exists(folder.path, ignored)) return Fail(std::move(member).error());
  auto lock = store::FolderLock::Take(folder);
  if (!lock) {
    Error error = std::move(lock).error();
    if (error.id == ErrorId::kAgentRunning) error.hint = "ote cluster stop --state " + folder.path.string();
    return Fail(std::move(error));
  }
  HandSite site(folder, clock, std::move(*lock));
  if (member) site.member_ = std::move(*member);
  // Ends a change of keys that was cut off after it had happened.
  if (site.member_ && site.member_->role == crypto::Role::kMember) OTE_CHECK(site.Keys());
  OTE_TRY(auto opened, store::Store::Open(folder.Database()));
  site.store_.emplace(std::move(opened));
  OTE_TRY(auto artifacts, store::Artifacts::Open(folder.ArtifactFolder()));
  site.artifacts_.emplace(std::move(artifacts));
  return site;
}

Result<store::MemberKeys> HandSite::Keys() const {
  if (member_) {
    OTE_TRY(const auto own, member_->Own());
    return store::LoadMemberKeys(folder_, own);
  }
  OTE_TRY(auto sign, folder_.SignKey());
  OTE_TRY(auto transport, folder_.TransportKey());
  return store::MemberKeys{std::move(sign), std::move(transport), std::nullopt, std::nullopt};
}

Result<std::int64_t> HandSite::NextSent() { return site::NextSent(*store_); }

std::set<std::string> AnswersNeeded(store::Store& store) {
  std::set<std::string> needed;
  const auto answers = store.List<HandAnswer>();
  if (!answers) return needed;
  for (const auto& answer : *answers) {
    if (!answer.received && !answer.body.offer.digest.empty()) needed.insert(answer.body.offer.digest);
  }
  return needed;
}

Result<std::string> HandSite::Name() {
  if (member_) return member_->name;
  OTE_TRY(const auto request, store_->Get<HandRequest>("own"));
  return request ? request->name : std::string();
}

}  // namespace ote::site
