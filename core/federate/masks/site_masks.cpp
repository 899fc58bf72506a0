#include "core/federate/masks/site_masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "crypto/agreement.h"
#include "crypto/random_stream.h"
#include "crypto/sealed.h"
#include "crypto/shamir.h"

namespace ote::federate {
namespace {

constexpr std::size_t kSecret = 32;
constexpr std::size_t kSignature = sizeof(crypto::Signature);

MaskTry TryOf(const api::Task& task) { return {task.run, task.round, task.masks->attempt, task.masks->spec}; }

tl::unexpected<Error> Forged(std::string message) { return Fail(ErrorId::kMaskForged, std::move(message)); }
tl::unexpected<Error> Refused(const api::Task& task, std::string_view why) {
  return Fail(ErrorId::kMaskRefused, fmt::format("run {}, round {}: {}", task.run, task.round, why));
}

Result<void> CheckKept(const api::Task& task, const SiteMasks& kept, bool dealt) {
  if (kept.round == task.round && kept.attempt == task.masks->attempt && kept.seed.size() == kSecret &&
      kept.mask_key.size() == kSecret && (!dealt || !kept.heads.empty())) {
    return {};
  }
  return Fail(ErrorId::kMaskSecretsLost, fmt::format("run {}, round {}: this cluster has no secrets for try {}",
                                                     task.run, task.round, task.masks->attempt));
}

crypto::TransportPublic PublicOf(const Bytes& bytes) {
  crypto::TransportPublic key;
  std::copy_n(bytes.begin(), std::min(bytes.size(), key.bytes.size()), key.bytes.begin());
  return key;
}

const MaskNeighbour* FindNeighbour(const SiteMasks& kept, std::int64_t index) {
  const auto it = std::find_if(kept.neighbours.begin(), kept.neighbours.end(),
                               [index](const MaskNeighbour& n) { return n.index == index; });
  return it == kept.neighbours.end() ? nullptr : &*it;
}

Bytes SealOnce(ByteView key, ByteView context, ByteView plain) {
  crypto::Sealer sealer = crypto::Sealer::WithKey(key, context);
  Bytes out(crypto::SealedSize(plain.size()));
  const ByteView header = sealer.Header();
  std::copy(header.begin(), header.end(), out.begin());
  sealer.Next(plain, true, std::span(out).subspan(header.size()));
  return out;
}

Result<crypto::SecretBytes> OpenOnce(ByteView key, ByteView context, ByteView sealed) {
  if (key.size() != kSecret || sealed.size() != crypto::SealedSize(2 * kSecret)) {
    return Forged("sealed shares have the wrong size");
  }
  OTE_TRY(auto opener, crypto::Opener::WithKey(key, context, sealed.first(crypto::kSealedHeader)));
  crypto::SecretBytes plain(2 * kSecret);
  OTE_CHECK(opener.Open(0, true, sealed.subspan(crypto::kSealedHeader), plain.Mutable()));
  return plain;
}

Bytes CommitmentsOf(const MaskSession& session, std::size_t from, std::size_t to, ByteView seed, ByteView key) {
  const crypto::Digest a = session.ShareDigest(from, to, false, seed);
  const crypto::Digest b = session.ShareDigest(from, to, true, key);
  Bytes out(a.bytes.begin(), a.bytes.end());
  out.insert(out.end(), b.bytes.begin(), b.bytes.end());
  return out;
}

// The shares in a parcel, when it holds.
Result<HeldShares> OpenParcel(const MaskSession& session, const SiteMasks& kept, const MaskNeighbour& neighbour,
                              const api::MaskParcel& parcel) {
  const auto from = static_cast<std::size_t>(parcel.peer);
  const auto to = static_cast<std::size_t>(kept.index);
  OTE_TRY(const auto plain, OpenOnce(neighbour.seal, session.SealContext(from, to), parcel.sealed));
  const ByteView seed = plain.View().first(kSecret);
  const ByteView mask = plain.View().subspan(kSecret);
  if (CommitmentsOf(session, from, to, seed, mask) != parcel.commitments) {
    return Fail(ErrorId::kMaskShareInvalid, "a share is not the one that was promised");
  }
  return HeldShares{parcel.peer, Bytes(seed.begin(), seed.end()), Bytes(mask.begin(), mask.end())};
}

// The survivors that a task names, when they can be: we are among them, and there are enough.
Result<std::vector<bool>> CheckSurvivors(const api::Task& task, const MaskSession& session, const SiteMasks& kept) {
  OTE_TRY(auto survivors, UnpackPlaces(task.masks->survivors, session.sites()));
  const auto count = static_cast<std::size_t>(std::count(survivors.begin(), survivors.end(), true));
  if (!survivors[static_cast<std::size_t>(kept.index)]) return Refused(task, "this cluster is not among the survivors");
  if (count < session.plan().quorum) {
    return Refused(task, fmt::format("{} survivors, and {} are needed", count, session.plan().quorum));
  }
  for (const std::size_t member : session.Group(static_cast<std::size_t>(kept.index))) {
    const auto index = static_cast<std::int64_t>(member);
    const bool masked = index == kept.index ||
                        std::find(kept.masked_with.begin(), kept.masked_with.end(), index) != kept.masked_with.end();
    if (survivors[member] && !masked) return Refused(task, "a survivor is said to be one with which there is no mask");
  }
  return survivors;
}

void WipeBytes(Bytes& bytes) noexcept {
  crypto::Wipe(bytes);
  bytes.clear();
}

}  // namespace

void SiteMasks::Wipe() noexcept {
  for (Bytes* secret : {&seal_key, &mask_key, &seed}) WipeBytes(*secret);
  for (HeldShares& share : held) {
    WipeBytes(share.seed);
    WipeBytes(share.key);
  }
  for (MaskNeighbour& neighbour : neighbours) WipeBytes(neighbour.seal);
  body.clear();
  heads.clear();
  neighbours.clear();
  held.clear();
  masked_with.clear();
  consented.clear();
}

Result<api::MaskKeys> MakeMaskKeys(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept) {
  const std::int64_t attempt = task.masks->attempt;
  if (task.round <= kept.spent) {
    return Refused(task, "this cluster has given shares for the round, and gives them for one list of survivors only");
  }
  if (kept.round > task.round || (kept.round == task.round && kept.attempt > attempt)) {
    return Fail(ErrorId::kRoundStale,
                fmt::format("run {}: round {}, try {} has begun here", task.run, kept.round, kept.attempt));
  }
  kept.Wipe();
  kept.round = task.round;
  kept.attempt = attempt;
  const auto draw = [](Bytes& into) {
    const auto secret = crypto::SecretBytes::Random(kSecret);
    into.assign(secret.View().begin(), secret.View().end());
  };
  draw(kept.seal_key);
  draw(kept.mask_key);
  draw(kept.seed);
  OTE_TRY(const auto seal, crypto::TransportKey::FromSecret(kept.seal_key));
  OTE_TRY(const auto mask, crypto::TransportKey::FromSecret(kept.mask_key));
  api::MaskKeysBody body;
  body.run = task.run;
  body.round = task.round;
  body.attempt = attempt;
  body.name = identity.name;
  body.seal_key.assign(seal.Public().bytes.begin(), seal.Public().bytes.end());
  body.mask_key.assign(mask.Public().bytes.begin(), mask.Public().bytes.end());
  api::MaskKeys keys = SignMaskKeys(body, *identity.key, identity.certificate);
  kept.body = keys.body;
  return keys;
}

namespace {

// Checks the keys of the neighbours, and agrees with each on a key for shares.
Result<void> MeetNeighbours(const api::Task& task, const MaskSession& session, const MaskIdentity& identity,
                            const std::vector<std::size_t>& group, SiteMasks& kept) {
  const auto other = [] { return Forged("the roster gives this cluster other neighbours"); };
  if (task.masks->members.size() + 1 != group.size()) return other();
  if (kept.seal_key.size() != kSecret) return Forged("what was kept of the keys is not whole");
  OTE_TRY(const auto own, FromCbor<api::MaskKeysBody>(kept.body));
  const Bytes context = session.PairContext(MaskUse::kSeal);
  const MaskTry which = TryOf(task);
  kept.neighbours.clear();
  auto member = task.masks->members.begin();
  for (const std::size_t index : group) {
    if (std::cmp_equal(task.masks->index, index)) continue;
    if (std::cmp_not_equal(member->index, index)) return other();
    OTE_TRY(const MaskPeer peer, CheckMaskKeys(member->keys, which, identity.check));
    const MaskHead theirs = HeadOf(peer.sign, member->keys.body);
    if (!std::equal(theirs.begin(), theirs.end(), session.Head(index).begin())) {
      return Forged(fmt::format("{}: its keys are not those of the roster", peer.name));
    }
    OTE_TRY(const auto seal, crypto::AgreeKey(kept.seal_key, PublicOf(own.seal_key), peer.seal, context));
    kept.neighbours.push_back({member->index, Bytes(seal.View().begin(), seal.View().end()),
                               Bytes(peer.mask.bytes.begin(), peer.mask.bytes.end())});
    ++member;
  }
  WipeBytes(kept.seal_key);  // it has done its part
  return {};
}

}  // namespace

Result<api::MaskDeal> DealShares(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept) {
  OTE_CHECK(CheckKept(task, kept, false));
  OTE_TRY(const auto session, MaskSession::Make(TryOf(task), task.masks->heads));
  if (task.masks->index < 0 || std::cmp_greater_equal(task.masks->index, session.sites())) {
    return Forged("the roster has no such place");
  }
  if (!kept.heads.empty() && (kept.heads != task.masks->heads || kept.index != task.masks->index)) {
    return Refused(task, "shares were dealt for another roster");
  }
  const auto own = static_cast<std::size_t>(task.masks->index);
  const MaskHead head = HeadOf(identity.key->Public(), kept.body);
  if (!std::equal(head.begin(), head.end(), session.Head(own).begin())) {
    return Forged("the roster does not have the keys of this cluster in its place");
  }
  const std::vector<std::size_t> group = session.Group(own);
  // Asked once more, it has checked them.
  if (kept.heads.empty()) OTE_CHECK(MeetNeighbours(task, session, identity, group, kept));
  kept.heads = task.masks->heads;
  kept.index = task.masks->index;
  kept.held.clear();

  // Seed and mask key are shared together: a share of the one, then one of the other.
  crypto::SecretBytes both(2 * kSecret);
  std::copy(kept.seed.begin(), kept.seed.end(), both.Mutable().begin());
  std::copy(kept.mask_key.begin(), kept.mask_key.end(), both.Mutable().begin() + kSecret);
  const auto shares = crypto::SplitSecret(both.View(), session.plan().needed, group.size());
  api::MaskDeal deal;
  const crypto::Digest seed_digest = session.SeedDigest(own, kept.seed);
  deal.seed_commitment.assign(seed_digest.bytes.begin(), seed_digest.bytes.end());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const ByteView share = shares.View().subspan(i * 2 * kSecret, 2 * kSecret);
    const ByteView seed = share.first(kSecret);
    const ByteView key = share.subspan(kSecret);
    api::MaskParcel parcel;
    parcel.peer = static_cast<std::int64_t>(group[i]);
    parcel.commitments = CommitmentsOf(session, own, group[i], seed, key);
    if (group[i] == own) {
      kept.held.push_back({parcel.peer, Bytes(seed.begin(), seed.end()), Bytes(key.begin(), key.end())});
    } else {
      const MaskNeighbour* to = FindNeighbour(kept, parcel.peer);
      if (to == nullptr || to->seal.size() != kSecret) return Forged("what was kept of the neighbours is not whole");
      parcel.sealed = SealOnce(to->seal, session.SealContext(own, group[i]), share);
    }
    deal.parcels.push_back(std::move(parcel));
  }
  return deal;
}

Result<crypto::MaskLayer> OpenMasks(const api::Task& task, SiteMasks& kept) {
  if (!task.masks) return Forged("the task has no part about masks");
  OTE_CHECK(CheckKept(task, kept, true));
  OTE_TRY(const auto session, MaskSession::Make(TryOf(task), kept.heads));
  if (!kept.consented.empty()) return Refused(task, "a list of survivors was signed already");
  std::vector<std::int64_t> dealers;
  std::vector<HeldShares> held;
  for (const HeldShares& share : kept.held) {
    if (share.of == kept.index) held.push_back(share);
  }
  for (const api::MaskParcel& parcel : task.masks->parcels) {
    const MaskNeighbour* neighbour = FindNeighbour(kept, parcel.peer);
    if (neighbour == nullptr || (!dealers.empty() && dealers.back() >= parcel.peer)) {
      return Forged("shares of one that is no neighbour, or twice");
    }
    dealers.push_back(parcel.peer);
    if (auto opened = OpenParcel(session, kept, *neighbour, parcel)) held.push_back(std::move(*opened));
  }
  if (dealers.size() + 1 < session.plan().needed) {
    return Fail(ErrorId::kMaskTooFew, fmt::format("{} of {} neighbours dealt shares, and {} are needed", dealers.size(),
                                                  kept.neighbours.size(), session.plan().needed - 1));
  }
  OTE_TRY(const auto own, FromCbor<api::MaskKeysBody>(kept.body));
  const Bytes context = session.PairContext(MaskUse::kMask);
  crypto::MaskLayer layer;
  layer.Take(kept.seed, crypto::MaskSign::kAdd);
  for (const std::int64_t dealer : dealers) {
    OTE_TRY(const auto pair, crypto::AgreeKey(kept.mask_key, PublicOf(own.mask_key),
                                              PublicOf(FindNeighbour(kept, dealer)->mask), context));
    layer.Take(pair.View(), kept.index < dealer ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract);
  }
  kept.masked_with = std::move(dealers);
  kept.held = std::move(held);
  return layer;
}

Result<void> MaskWords(const api::Task& task, SiteMasks& kept, std::span<std::uint32_t> words) {
  OTE_TRY(auto layer, OpenMasks(task, kept));
  layer.Next(words);
  return {};
}

Result<api::MaskConsent> Consent(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept) {
  OTE_CHECK(CheckKept(task, kept, true));
  OTE_TRY(const auto session, MaskSession::Make(TryOf(task), kept.heads));
  OTE_CHECK(CheckSurvivors(task, session, kept));
  if (!kept.consented.empty() && kept.consented != task.masks->survivors) {
    return Refused(task, "another list of survivors was signed already");
  }
  kept.consented = task.masks->survivors;
  const crypto::Signature signature =
      identity.key->Sign(kMaskConsentDomain, session.ConsentMessage(task.masks->survivors));
  return api::MaskConsent{Bytes(signature.begin(), signature.end())};
}

namespace {

// Whether those that are said to have signed the list did so. Those that are looked at are drawn here, after the root
// has shown them all: it cannot know which.
Result<void> CheckConsents(const api::Task& task, const MaskSession& session, const std::vector<bool>& survivors,
                           const std::vector<bool>& signers) {
  const auto has_not = [] { return Forged("a cluster is said to have agreed to the list of survivors, and has not"); };
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < signers.size(); ++i) {
    if (!signers[i]) continue;
    if (!survivors[i]) return has_not();
    places.push_back(i);
  }
  const Bytes message = session.ConsentMessage(task.masks->survivors);
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  crypto::RandomStream random = crypto::RandomStream::Fresh();
  const std::size_t checked = SignaturesToCheck(session.plan(), places.size());
  for (std::size_t i = 0; i < checked; ++i) {
    std::swap(order[i], order[i + random.Below(order.size() - i)]);
    const ByteView signature = ByteView(task.masks->signatures).subspan(order[i] * kSignature, kSignature);
    if (!crypto::Verify(session.Signer(places[order[i]]), kMaskConsentDomain, message, signature)) return has_not();
  }
  return {};
}

}  // namespace

Result<api::MaskShares> GiveShares(const api::Task& task, SiteMasks& kept) {
  OTE_CHECK(CheckKept(task, kept, true));
  OTE_TRY(const auto session, MaskSession::Make(TryOf(task), kept.heads));
  OTE_TRY(const auto survivors, CheckSurvivors(task, session, kept));
  if (!kept.consented.empty() && kept.consented != task.masks->survivors) {
    return Refused(task, "this cluster agreed to another list of survivors");
  }
  OTE_TRY(const auto signers, UnpackPlaces(task.masks->signers, session.sites()));
  const auto count = static_cast<std::size_t>(std::count(signers.begin(), signers.end(), true));
  if (count < session.plan().quorum) {
    return Refused(task, fmt::format("{} clusters agreed to the list of survivors, and {} are needed", count,
                                     session.plan().quorum));
  }
  if (task.masks->signatures.size() != count * kSignature) return Forged("signatures are missing");
  OTE_CHECK(CheckConsents(task, session, survivors, signers));
  kept.consented = task.masks->survivors;
  kept.spent = std::max(kept.spent, task.round);
  api::MaskShares out;
  for (const HeldShares& share : kept.held) {
    const bool left = !survivors[static_cast<std::size_t>(share.of)];
    out.shares.push_back({share.of, left, left ? share.key : share.seed});
  }
  std::sort(out.shares.begin(), out.shares.end(), [](const auto& a, const auto& b) { return a.of < b.of; });
  return out;
}

Result<Bytes> AnswerMaskStep(const api::Task& task, const MaskIdentity& identity, SiteMasks& kept) {
  if (!task.masks) return Forged("the task has no part about masks");
  SiteMasks next = kept;  // unchanged when a step fails
  const auto answer = [&]() -> Result<Bytes> {
    switch (task.kind) {
      case api::TaskKind::kMaskKeys: {
        OTE_TRY(const auto keys, MakeMaskKeys(task, identity, next));
        return ToCbor(keys);
      }
      case api::TaskKind::kMaskShares: {
        OTE_TRY(const auto deal, DealShares(task, identity, next));
        return ToCbor(deal);
      }
      case api::TaskKind::kMaskConsent: {
        OTE_TRY(const auto consent, Consent(task, identity, next));
        return ToCbor(consent);
      }
      case api::TaskKind::kMaskUnmask: {
        OTE_TRY(const auto shares, GiveShares(task, next));
        return ToCbor(shares);
      }
      default:
        return Fail(ErrorId::kInternal, "the task is no step of masks");
    }
  }();
  if (answer) kept = std::move(next);
  return answer;
}

}  // namespace ote::federate
