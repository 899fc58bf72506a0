#include "agent/sealing/site_seals.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "agent/authority.h"
#include "core/parcel/streams.h"
#include "core/site/perform.h"
#include "crypto/sealed.h"

namespace ote::agent {

Result<site::TaskRecord> SiteSeals::OpenTask(const parcel::Parcel& parcel) const {
  const auto& own = context_.membership;
  parcel::Expected expected;
  expected.authority = own.AuthorityKey();
  expected.receiver = own.name;
  expected.dates = crypto::Validity{context_.clock.WallNow(), kClockTolerance, 0};
  expected.revocations = own.revocations ? &*own.revocations : nullptr;
  OTE_TRY(auto opened, parcel::OpenTask(parcel, expected, context_.transport_key));
  return site::TaskRecord{std::move(opened.content.task), std::move(opened.content.seals), opened.head.issuer,
                          api::TaskDigest(std::move(opened.body.at("task")))};
}

Result<store::Opening> SiteSeals::ModelToOpen(const std::string& run, const api::LockedCopy& locked,
                                              const std::string& digest, std::int64_t size) const {
  OTE_TRY(const auto key, parcel::UnwrapKey(locked, run, context_.membership.name, context_.transport_key));
  return store::BeginOpening(context_.artifacts, locked.copy.digest, digest, size,
                             [&](ByteView header) { return parcel::OpenerOfModel(run, digest, key, header); });
}

SealAnswer SiteSeals::Sealer(const site::TaskRecord& of) const {
  // Shared, since a function can be copied and a secret cannot.
  auto secret = std::make_shared<const crypto::SecretBytes>(parcel::UpdateSecret(context_.sign_key));
  return [&artifacts = context_.artifacts, site = context_.membership.name, task = of.task, key = of.seals.answer_key,
          secret](federate::SiteAnswer answer) -> SealedAnswer {
    if (answer.update.empty()) return {std::move(answer), {}};
    const auto seal = [&]() -> Result<api::SealedCopy> {
      OTE_TRY(auto sealer, parcel::SealerOfUpdate(answer.offer, site, key, *secret));
      return store::SealArtifact(artifacts, std::move(sealer), answer.update, Durability::kSynced);
    };
    auto sealed = seal();
    if (!sealed) return {site::Failed(task, sealed.error(), "write"), {}};
    answer.update = {};
    return {std::move(answer), std::move(*sealed)};
  };
}

Result<parcel::Parcel> SiteSeals::PackOffer(const site::OfferRecord& record) const {
  parcel::TaskName task{};
  crypto::TransportPublic to;
  if (!Answerable(record)) return Fail(ErrorId::kStoreCorrupt, "an answer does not say what it answers");
  std::copy(record.task.begin(), record.task.end(), task.begin());
  std::copy(record.answer_key.begin(), record.answer_key.end(), to.bytes.begin());
  const auto& own = context_.membership;
  Bytes header;
  if (!record.update.digest.empty() && record.fold == api::FoldPolicy::kAllow) {
    // Without it no relay can be given the key; the update is still fetched, by the root itself.
    if (auto begins = context_.artifacts.ReadRange(record.update.digest, 0, crypto::kSealedHeader)) {
      header = std::move(*begins);
    }
  }
  return parcel::Pack({record.offer, record.update, std::move(header)}, task,
                      {own.name, context_.sign_key, own.certificate}, record.root, to);
}

site::OfferRecord AnswerTo(const site::TaskRecord& of, const api::UpdateOffer& offer) {
  site::OfferRecord record;
  record.offer = offer;
  record.model_digest = of.task.model_digest;
  const auto name = parcel::NameOfTask(of.digest, of.seals.answer_key);
  record.task.assign(name.begin(), name.end());
  record.root = of.root;
  record.answer_key = of.seals.answer_key;
  return record;
}

bool Answerable(const site::TaskRecord& record) noexcept {
  return record.seals.answer_key.size() == std::tuple_size_v<decltype(crypto::TransportPublic::bytes)>;
}

bool Answerable(const site::OfferRecord& record) noexcept {
  return record.task.size() == std::tuple_size_v<parcel::TaskName> &&
         record.answer_key.size() == std::tuple_size_v<decltype(crypto::TransportPublic::bytes)>;
}

}  // namespace ote::agent
