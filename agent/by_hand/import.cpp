// Updates that were carried here.
#include <fmt/format.h>

#include "agent/by_hand/desk.h"
#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"

namespace ote::agent {
namespace {

Result<void> CheckParts(const Carried& carried, const bundle::UpdateBody& body) {
  const auto& header = carried.bundle.header;
  const auto& offer = body.offer;
  if (offer.run != header.run || offer.round != header.round || api::StepOf(offer) != header.step ||
      header.stream != header.run) {
    return Fail(
        ErrorId::kBundleMixed,
        fmt::format("the update says that it is for run {}, round {} ({}), and holds an answer to run {}, round "
                    "{} ({})",
                    header.run, header.round, header.step, offer.run, offer.round, api::StepOf(offer)));
  }
  const auto& items = carried.manifest.items;
  const bool fits = offer.digest.empty()
                        ? items.empty()
                        : items.size() == 1 && items[0].digest == offer.digest && items[0].size == offer.size;
  if (!fits) return Fail(ErrorId::kBundleMixed, "the update holds other artifacts than those that it announces");
  return {};
}

}  // namespace

Result<void> HandDesk::CheckSender(const Carried& carried) const {
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckReceiver(header, context_.membership.name, transport_.Public()));
  // The member as it is known here; what the bundle says of it itself is not needed.
  const auto member = members_.Find(header.issuer);
  if (!member || !member->certificate) {
    return Fail(ErrorId::kRevoked, fmt::format("the {} is from {}, which is not a member", header.kind, header.issuer),
                "ote cluster list");
  }
  if (SignerOf(header)) return {};
  return Fail(ErrorId::kBundleUntrusted,
              fmt::format("the {} says that it is from {}, and is signed by another key", header.kind, header.issuer));
}

Result<void> HandDesk::Check(const Carried& carried, const bundle::UpdateBody& body,
                             std::optional<HandUpdate>* before) {
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kUpdate));
  OTE_CHECK(CheckSender(carried));
  OTE_CHECK(CheckParts(carried, body));

  const auto key = HandKey(header.run, header.round, header.step, header.issuer);
  OTE_TRY(*before, context_.store.Get<HandUpdate>(key));
  if (*before && (*before)->nonce == header.nonce) {
    if ((*before)->receipt.update == carried.bundle.digest) return {};
    return Fail(ErrorId::kBundleReplaced,
                fmt::format("{} has answered round {} of run {} with another update, number {}", header.issuer,
                            header.round, header.run, (*before)->receipt.update_sequence));
  }
  before->reset();
  OTE_CHECK(CheckNumber(carried));
  OTE_CHECK(runs_.IdOf(header.run));
  OTE_TRY(const auto task, context_.store.Get<HandTask>(key));
  if (!task) {
    return Fail(ErrorId::kBundleUnasked, fmt::format("no task of round {} ({}) of run {} was exported for {}",
                                                     header.round, header.step, header.run, header.issuer));
  }
  const bool named = std::find(task->digests.begin(), task->digests.end(), header.answers) != task->digests.end();
  if (!named || task->out.nonce != header.nonce) {
    return Fail(ErrorId::kBundleMixed,
                fmt::format("the update names another task than the one of round {} of run {} for {}", header.round,
                            header.run, header.issuer));
  }
  auto* driver = runs_.DriverOf(header.run);
  if (driver == nullptr) return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", header.run));
  const auto* open = driver->TaskOf(header.issuer);
  if (open == nullptr || open->round != header.round || api::StepOf(*open) != header.step) {
    return Fail(ErrorId::kRoundStale,
                fmt::format("run {}: round {} ({}) is over", header.run, header.round, header.step),
                fmt::format("ote fl export {} --cluster {} -o FILE gives the present task, if there is one", header.run,
                            header.issuer));
  }
  return {};
}

Result<api::ImportReply> HandDesk::Take(const Carried& carried, const bundle::UpdateBody& body,
                                        const api::Cluster& cluster) {
  const auto& header = carried.bundle.header;
  const auto& offer = body.offer;
  auto* driver = runs_.DriverOf(header.run);
  // The run first: what it would not have leaves nothing here. One that is cut off after it is imported again, and the
  // run knows that it has it.
  if (auto taken = driver->Carried(header.issuer, offer); !taken) {
    if (!offer.digest.empty() && !runs_.Needs(offer.digest)) context_.artifacts.Remove(offer.digest);
    return Fail(taken.error());
  }
  HandUpdate update;
  update.offer = offer;
  update.nonce = header.nonce;
  auto& receipt = update.receipt;
  receipt.cluster = header.issuer;
  OTE_TRY(const auto certified, CertifiedOf(cluster));
  receipt.receiver_key = certified.body.transport_key;
  receipt.update = carried.bundle.digest;
  receipt.update_sequence = header.sequence;
  receipt.run = header.run;
  receipt.round = header.round;
  receipt.step = header.step;
  receipt.created = context_.clock.WallNow();
  receipt.revocations = context_.membership.revocations;
  OTE_TRY(const auto run, runs_.Show(header.run));
  receipt.status = NameOf(run.status);
  receipt.over = run.Over();
  OTE_TRY(const auto task, context_.store.Get<HandTask>(update.Key()));
  const auto ended = task && task->digests.size() == 1 ? task->out.over : std::vector<std::string>();
  auto kept = context_.store.Transaction([&]() -> Result<void> {
    OTE_TRY(receipt.sequence, context_.store.NextNumber(kSentNumbers));
    OTE_CHECK(bundle::PutMark(context_.store, carried.bundle));
    OTE_TRY(receipt.seen, bundle::HighestOf(context_.store, header.issuer));
    // Whoever did the task has read what is over.
    for (const auto& id : ended) OTE_CHECK(context_.store.Remove<HandOver>(HandOver{header.issuer, id}.Key()));
    return context_.store.Put(update);
  });
  OTE_CHECK(std::move(kept));
  log::Info("update imported", {{"run", header.run}, {"round", header.round}, {"cluster", header.issuer}});
  HeardFrom(header);
  // What else it tells of the site; this may move the run on.
  auto changed = members_.Find(header.issuer).value_or(cluster);
  changed.datasets = body.datasets;
  changed.version = body.version;
  changed.platform = body.platform;
  changed.last_seen = context_.clock.WallNow();
  if (auto told = members_.Admit(changed); !told) {
    log::Warn("what an update tells of its site was not kept", {{"cluster", cluster.name}});
  }
  return receipt;
}

Result<api::ImportReply> HandDesk::Import(const api::ImportRequest& request) {
  OTE_TRY(const auto carried, ReadCarried(request.update));
  OTE_TRY(const auto body, bundle::ReadBody<bundle::UpdateBody>(carried.manifest.body));
  std::optional<HandUpdate> before;
  OTE_CHECK(Check(carried, body, &before));
  if (before) {
    auto receipt = before->receipt;
    receipt.already = true;
    return receipt;
  }
  OTE_TRY(const auto cluster, HandMember(carried.bundle.header.issuer, !request.check));
  if (request.check) {
    api::ImportReply seen;
    seen.cluster = cluster.name;
    seen.update = carried.bundle.digest;
    seen.run = body.offer.run;
    seen.round = body.offer.round;
    seen.step = api::StepOf(body.offer);
    return seen;
  }
  if (!body.offer.digest.empty() && !context_.artifacts.Has(body.offer.digest)) {
    return Fail(ErrorId::kArtifactMissing, fmt::format("the update {} was not put here before", body.offer.digest));
  }
  return Take(carried, body, cluster);
}

}  // namespace ote::agent
