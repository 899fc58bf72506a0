#include "agent/sealing/run_seals.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/authority.h"
#include "agent/sealing/run_keys.h"
#include "core/base/log.h"
#include "core/parcel/fold_seals.h"
#include "core/parcel/streams.h"
#include "crypto/sealed.h"

namespace ote::agent {

Result<void> RunSeals::Open() {
  OTE_TRY(auto key, RunKey(context_.folder, run_));
  key_.emplace(std::move(key));
  return {};
}

parcel::TaskName RunSeals::NameOf(const api::Task& task) const {
  return parcel::NameOfTask(api::TaskDigest(task), key_->Public().bytes);
}

Result<std::shared_ptr<const RunSeals::Copy>> RunSeals::CopyOf(const std::string& digest) {
  std::erase_if(copies_, [](const auto& entry) { return entry.second.expired(); });
  auto& held = copies_[digest];
  if (auto copy = held.lock()) return copy;
  OTE_TRY(const auto plain, context_.artifacts.Map(digest));
  auto key = crypto::SecretBytes::Random(parcel::kContentKey);
  // One that a power cut damages is sealed anew by the root that comes back from it.
  OTE_TRY(auto made, store::SealArtifact(context_.artifacts, parcel::SealerOfModel(run_, digest, key), plain.View(),
                                         Durability::kBestEffort));
  auto copy = std::make_shared<const Copy>(context_.artifacts, std::move(made), std::move(key));
  held = copy;
  return copy;
}

Result<parcel::Parcel> RunSeals::Pack(const api::Task& task, const std::string& site, Copies& copies) {
  const auto member = members_.Find(site);
  if (!member || !member->certificate) return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", site));
  // What is in the store was checked when it was issued.
  OTE_TRY(const auto paper, FromCbor<crypto::CertificateBody>(member->certificate->body));
  const auto to = paper.Transport();
  const auto lock = [&](const std::string& digest, std::shared_ptr<const Copy>& copy,
                        api::LockedCopy& out) -> Result<void> {
    if (digest.empty()) return {};
    if (copy == nullptr) {
      OTE_TRY(copy, CopyOf(digest));
    }
    out.copy = copy->copy;
    OTE_TRY(out.key, parcel::WrapKey(copy->key, run_, site, copy->copy, to));
    return {};
  };
  parcel::SealedTask content{task, {}};
  content.seals.answer_key.assign(key_->Public().bytes.begin(), key_->Public().bytes.end());
  // A model is large: it is sealed when there is somebody to fetch it.
  if (!api::IsMaskStep(task.kind)) {
    OTE_CHECK(lock(task.model_digest, copies.model, content.seals.model));
    OTE_CHECK(lock(task.local.control_digest, copies.control, content.seals.control));
  }
  const auto& own = context_.membership;
  return parcel::Pack(content, {own.name, context_.sign_key, own.certificate}, site, to);
}

Result<parcel::Opened<parcel::SealedOffer>> RunSeals::OpenOffer(const parcel::Parcel& parcel,
                                                                const std::string& site) const {
  if (!key_) return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", run_));
  const auto& own = context_.membership;
  parcel::Expected expected;
  expected.authority = own.AuthorityKey();
  expected.receiver = own.name;
  expected.issuer = site;
  expected.dates = crypto::Validity{context_.clock.WallNow(), kClockTolerance, 0};
  expected.revocations = own.revocations ? &*own.revocations : nullptr;
  return parcel::OpenOffer(parcel, expected, *key_);
}

bool RunSeals::Note(const std::string& site, const parcel::SealedOffer& offer) {
  if (offer.offer.digest.empty()) return false;
  parcel::SealedOffer kept = offer;
  kept.offer.statistics.reset();
  return updates_.insert_or_assign({site, offer.offer.digest}, std::move(kept)).second;
}

void RunSeals::ForgetAll(const std::string& site) {
  std::erase_if(updates_, [&site](const auto& entry) { return entry.first.first == site; });
}

Result<api::SealedCopy> RunSeals::UpdateOf(const std::string& site, const std::string& digest) const {
  const auto it = updates_.find({site, digest});
  if (it == updates_.end()) return Fail(ErrorId::kUnreachable, site + ": it has not offered its update again");
  const auto& offer = it->second.offer;
  const auto& update = it->second.update;
  const auto size = crypto::SealedSize(static_cast<std::uint64_t>(std::max<std::int64_t>(offer.size, 0)));
  if (!crypto::Digest::Parse(update.digest) || update.digest == offer.digest || !std::cmp_equal(update.size, size)) {
    return Fail(ErrorId::kSealBroken, fmt::format("{}: its update of {} bytes is said to be {} bytes when sealed", site,
                                                  offer.size, update.size));
  }
  return update;
}

Result<store::Opening> RunSeals::UpdateToOpen(const std::string& site, const std::string& digest) const {
  if (!key_) return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", run_));
  const auto it = updates_.find({site, digest});
  if (it == updates_.end()) return Fail(ErrorId::kArtifactMissing, fmt::format("{}: it offers no {}", site, digest));
  const auto& offer = it->second.offer;
  return store::BeginOpening(context_.artifacts, it->second.update.digest, offer.digest, offer.size,
                             [&](ByteView header) { return parcel::OpenerOfUpdate(offer, site, *key_, header); });
}

Result<api::FoldItem> RunSeals::ToFold(const std::string& site, const std::string& digest) const {
  if (!key_) return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", run_));
  OTE_TRY(auto copy, UpdateOf(site, digest));
  const auto& offered = updates_.at({site, digest});
  if (offered.header.empty()) {
    return Fail(ErrorId::kUnsupported, site + ": it did not say what its update is sealed with");
  }
  OTE_TRY(const auto key, parcel::KeyOfUpdate(offered.offer, site, *key_, offered.header));
  return api::FoldItem{site, std::move(copy), digest, 0, Bytes(key.View().begin(), key.View().end())};
}

Bytes RunSeals::AnswerKey() const {
  if (!key_) return {};
  const auto own = key_->Public();
  return {own.bytes.begin(), own.bytes.end()};
}

Result<store::Opening> RunSeals::SumToOpen(std::int64_t round, const std::string& relay,
                                           const api::FoldReply& reply) const {
  if (!key_) return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", run_));
  return store::BeginOpening(context_.artifacts, reply.sum.digest, reply.digest, reply.size, [&](ByteView header) {
    return parcel::OpenerOfSum(run_, round, relay, reply.digest, *key_, header);
  });
}

std::set<std::string> RunSeals::Needed() const {
  std::set<std::string> needed;
  for (const auto& [digest, held] : copies_) {
    if (const auto copy = held.lock()) needed.insert(copy->copy.digest);
  }
  for (const auto& [of, offer] : updates_) needed.insert(offer.update.digest);
  return needed;
}

}  // namespace ote::agent
