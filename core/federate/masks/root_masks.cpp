#include "core/federate/masks/root_masks.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/sealed.h"
#include "crypto/shamir.h"

namespace ote::federate {
namespace {

constexpr std::size_t kSecret = 32;

tl::unexpected<Error> Forged(const std::string& site, std::string_view why) {
  return Fail(ErrorId::kMaskForged, fmt::format("{}: {}", site, why));
}

template <class T>
Result<T> Parse(const std::string& site, ByteView bytes) {
  auto parsed = FromCbor<T>(bytes);
  if (!parsed) return Fail(std::move(parsed).error().Context(site));
  return parsed;
}

// Where a place stands in its group, from 1: the x of its shares.
std::uint8_t HolderOf(const std::vector<std::size_t>& group, std::size_t place) {
  return static_cast<std::uint8_t>(std::lower_bound(group.begin(), group.end(), place) - group.begin() + 1);
}

}  // namespace

Result<void> RootMasks::CheckKeys(const MaskTry& which, const std::string& site, ByteView keys, const KeyCheck& check) {
  OTE_TRY(const auto parsed, Parse<api::MaskKeys>(site, keys));
  OTE_TRY(const MaskPeer peer, CheckMaskKeys(parsed, which, check));
  if (peer.name != site) return Forged(site, fmt::format("the keys are those of {}", peer.name));
  return {};
}

Result<RootMasks> RootMasks::Make(const MaskTry& which, const std::map<std::string, Bytes>& keys,
                                  const KeyCheck& check) {
  std::vector<Member> members;
  Bytes heads;
  for (const auto& [site, bytes] : keys) {
    OTE_TRY(auto parsed, Parse<api::MaskKeys>(site, bytes));
    OTE_TRY(const MaskPeer peer, CheckMaskKeys(parsed, which, check));
    const MaskHead head = HeadOf(peer.sign, parsed.body);
    heads.insert(heads.end(), head.begin(), head.end());
    Member member;
    member.name = site;
    member.keys = std::move(parsed);
    member.mask = peer.mask;
    members.push_back(std::move(member));
  }
  OTE_TRY(auto session, MaskSession::Make(which, heads));
  RootMasks out(std::move(session), which.spec, which.attempt);
  out.members_ = std::move(members);
  for (std::size_t i = 0; i < out.members_.size(); ++i) out.members_[i].group = out.session_.Group(i);
  return out;
}

std::vector<std::string> RootMasks::Roster() const {
  std::vector<std::string> out;
  for (const Member& member : members_) out.push_back(member.name);
  return out;
}

std::optional<std::size_t> RootMasks::Place(const std::string& site) const {
  const auto it = std::lower_bound(members_.begin(), members_.end(), site,
                                   [](const Member& m, const std::string& name) { return m.name < name; });
  if (it == members_.end() || it->name != site) return std::nullopt;
  return static_cast<std::size_t>(it - members_.begin());
}

Result<std::size_t> RootMasks::MustPlace(const std::string& site) const {
  const auto place = Place(site);
  if (!place) return Fail(ErrorId::kUpdateUnasked, fmt::format("{}: it is not in the roster of the round", site));
  return *place;
}

api::MaskTask RootMasks::Blank() const {
  api::MaskTask task;
  task.attempt = attempt_;
  task.spec = spec_;
  return task;
}

api::MaskTask RootMasks::ForShares(const std::string& site) const {
  api::MaskTask task = Blank();
  const std::size_t own = Place(site).value_or(0);
  task.index = static_cast<std::int64_t>(own);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const ByteView head = session_.Head(i);
    task.heads.insert(task.heads.end(), head.begin(), head.end());
  }
  for (const std::size_t member : members_[own].group) {
    if (member != own) task.members.push_back({static_cast<std::int64_t>(member), members_[member].keys});
  }
  return task;
}

Result<void> RootMasks::TakeDeal(const std::string& site, ByteView deal) {
  OTE_TRY(const std::size_t own, MustPlace(site));
  OTE_TRY(auto parsed, Parse<api::MaskDeal>(site, deal));
  const std::vector<std::size_t>& group = members_[own].group;
  bool fits = parsed.parcels.size() == group.size() && parsed.seed_commitment.size() == kSecret;
  for (std::size_t i = 0; fits && i < group.size(); ++i) {
    const api::MaskParcel& parcel = parsed.parcels[i];
    const std::size_t size = group[i] == own ? 0 : static_cast<std::size_t>(crypto::SealedSize(2 * kSecret));
    fits = std::cmp_equal(parcel.peer, group[i]) && parcel.sealed.size() == size &&
           parcel.commitments.size() == 2 * kSecret;
  }
  if (!fits) return Forged(site, "it has not dealt a share to each of its neighbours");
  members_[own].deal = std::move(parsed);
  return {};
}

std::set<std::string> RootMasks::Dealt() const {
  std::vector<bool> in(members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) in[i] = members_[i].deal.has_value();
  // One that is left out may leave another with too few.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!in[i]) continue;
      const std::vector<std::size_t>& group = members_[i].group;
      const auto count = std::count_if(group.begin(), group.end(), [&in](std::size_t m) { return in[m]; });
      if (std::cmp_greater_equal(count, plan().needed)) continue;
      in[i] = false;
      changed = true;
    }
  }
  std::set<std::string> out;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (in[i]) out.insert(members_[i].name);
  }
  return out;
}

void RootMasks::Train(const std::set<std::string>& sites) {
  for (Member& member : members_) member.trains = sites.count(member.name) != 0;
}

api::MaskTask RootMasks::ForTraining(const std::string& site, std::int64_t exponent) const {
  api::MaskTask task = Blank();
  task.exponent = exponent;
  const std::size_t own = Place(site).value_or(0);
  for (const std::size_t from : members_[own].group) {
    const Member& dealer = members_[from];
    if (from == own || !dealer.trains) continue;
    const std::vector<std::size_t>& group = members_[from].group;
    const api::MaskParcel& parcel = dealer.deal->parcels[static_cast<std::size_t>(HolderOf(group, own)) - 1];
    task.parcels.push_back({static_cast<std::int64_t>(from), parcel.sealed, parcel.commitments});
  }
  return task;
}

bool RootMasks::Enough(const std::set<std::string>& survivors) const {
  if (survivors.size() < plan().quorum) return false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].trains) continue;
    const std::vector<std::size_t>& group = members_[i].group;
    const auto count = std::count_if(group.begin(), group.end(),
                                     [&](std::size_t m) { return survivors.count(members_[m].name) != 0; });
    if (std::cmp_less(count, plan().needed)) return false;
  }
  return true;
}

void RootMasks::Close(const std::set<std::string>& survivors) {
  for (Member& member : members_) member.survives = survivors.count(member.name) != 0;
}

Bytes RootMasks::Survivors() const {
  std::vector<bool> places;
  for (const Member& member : members_) places.push_back(member.survives);
  return PackPlaces(places);
}

api::MaskTask RootMasks::ForConsent() const {
  api::MaskTask task = Blank();
  task.survivors = Survivors();
  return task;
}

Result<void> RootMasks::TakeConsent(const std::string& site, ByteView consent) {
  OTE_TRY(const std::size_t own, MustPlace(site));
  OTE_TRY(const auto parsed, Parse<api::MaskConsent>(site, consent));
  const Bytes message = session_.ConsentMessage(Survivors());
  if (!members_[own].survives || !crypto::Verify(session_.Signer(own), kMaskConsentDomain, message, parsed.signature)) {
    return Forged(site, "it has not signed the list of survivors");
  }
  consents_[own] = parsed.signature;
  return {};
}

api::MaskTask RootMasks::ForUnmask() const {
  api::MaskTask task = ForConsent();
  std::vector<bool> signers(members_.size());
  for (const auto& [site, signature] : consents_) {
    signers[site] = true;
    task.signatures.insert(task.signatures.end(), signature.begin(), signature.end());
  }
  task.signers = PackPlaces(signers);
  return task;
}

ByteView RootMasks::Commitment(std::size_t from, std::size_t to, bool key) const {
  const std::vector<std::size_t>& group = members_[from].group;
  const api::MaskParcel& parcel = members_[from].deal->parcels[static_cast<std::size_t>(HolderOf(group, to)) - 1];
  return ByteView(parcel.commitments).subspan(key ? kSecret : 0, kSecret);
}

Result<void> RootMasks::TakeShares(const std::string& site, ByteView shares) {
  OTE_TRY(const std::size_t own, MustPlace(site));
  OTE_TRY(const auto parsed, Parse<api::MaskShares>(site, shares));
  const std::vector<std::size_t>& group = members_[own].group;
  std::set<std::size_t> seen;
  for (const api::MaskShare& share : parsed.shares) {
    const auto of = static_cast<std::size_t>(share.of);
    const bool known = share.of >= 0 && std::binary_search(group.begin(), group.end(), of) && members_[of].trains &&
                       share.key == !members_[of].survives && seen.insert(of).second;
    if (!known) return Fail(ErrorId::kMaskShareInvalid, fmt::format("{}: a share of what was not asked for", site));
    const crypto::Digest digest = session_.ShareDigest(of, own, share.key, share.share);
    const ByteView dealt = Commitment(of, own, share.key);
    if (!std::equal(dealt.begin(), dealt.end(), digest.bytes.begin())) {
      return Fail(ErrorId::kMaskShareInvalid,
                  fmt::format("{}: its share of {} is not the one that it was dealt", site, members_[of].name));
    }
  }
  for (const api::MaskShare& share : parsed.shares) {
    members_[static_cast<std::size_t>(share.of)].shares[own] = share.share;
  }
  return {};
}

bool RootMasks::CanUnmask() const {
  return std::all_of(members_.begin(), members_.end(),
                     [this](const Member& m) { return !m.trains || m.shares.size() >= plan().needed; });
}

std::vector<std::string> RootMasks::Lacking() const {
  std::set<std::string> out;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].trains || members_[i].shares.size() >= plan().needed) continue;
    for (const std::size_t member : members_[i].group) {
      if (members_[member].survives && members_[i].shares.count(member) == 0) out.insert(members_[member].name);
    }
  }
  return {out.begin(), out.end()};
}

Result<MaskRemoval> RootMasks::Removal() const {
  std::vector<MaskOwner> owners;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    if (!member.trains) continue;
    if (member.shares.size() < plan().needed) {
      return Fail(ErrorId::kMaskTooFew, fmt::format("{} shares of the secret of {}, and {} are needed",
                                                    member.shares.size(), member.name, plan().needed));
    }
    const std::vector<std::size_t>& group = members_[i].group;
    MaskOwner owner;
    owner.name = member.name;
    owner.place = i;
    owner.stayed = member.survives;
    for (const auto& [from, share] : member.shares) {
      if (owner.shares.size() < plan().needed) owner.shares.push_back({HolderOf(group, from), share});
    }
    owner.seed_commitment = member.deal->seed_commitment;
    owner.key = member.mask;
    for (const std::size_t other : group) {
      if (member.survives || other == i || !members_[other].survives) continue;
      owner.laid.push_back({members_[other].mask, other < i});
    }
    owners.push_back(std::move(owner));
  }
  return MaskRemoval(session_, std::move(owners));
}

Result<void> RootMasks::Unmask(MaskedSum& sum) const {
  OTE_TRY(const auto removal, Removal());
  return removal.From(sum);
}

}  // namespace ote::federate
