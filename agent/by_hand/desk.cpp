#include "agent/by_hand/desk.h"

#include <fmt/format.h>

#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/site/perform.h"

namespace ote::agent {

std::string HandKey(const std::string& run, std::int64_t round, std::string_view step, const std::string& cluster) {
  return fmt::format("{}/{}/{}/{}", run, round, step, cluster);
}

Result<void> HandDesk::Start() {
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::ApproveRequest>(api::verb::kClusterApprove, kByOperator,
                                        [this](const Request&, const auto& body) { return Approve(body); });
  rpc.RegisterCall<api::ExportRequest>(api::verb::kFlExport, kByOperator,
                                       [this](const Request&, const auto& body) { return Export(body); });
  rpc.RegisterCall<api::ImportRequest>(api::verb::kFlImport, kByOperator,
                                       [this](const Request&, const auto& body) { return Import(body); });
  runs_.OnRemoved([this](const std::string& run, bool dry) { return ForgetRun(run, dry); });
  runs_.OnAsked([this](const std::string& site, const api::Task& task) { Asked(site, task); });
  return {};
}

Result<api::Cluster> HandDesk::HandMember(const std::string& name, bool renew) {
  auto cluster = members_.Find(name);
  if (!cluster || !cluster->certificate) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", name), "ote cluster list");
  }
  if (!cluster->by_hand) {
    return Fail(ErrorId::kNotByHand, fmt::format("cluster {}: it is reached over its link", name),
                "ote cluster list shows which are by-hand");
  }
  if (renew) return RenewWhenDue(std::move(*cluster));
  return std::move(*cluster);
}

std::optional<crypto::CertificateBody> HandDesk::SignerOf(const bundle::Header& header) const {
  const auto member = members_.Find(header.issuer);
  if (!member) return std::nullopt;
  for (const auto& certificate : {member->certificate, member->trust ? member->trust->next : std::nullopt}) {
    if (!certificate) continue;
    auto body = issuer_.Check(*certificate);
    if (body && body->sign_key == header.sign_key) return std::move(*body);
  }
  return std::nullopt;
}

void HandDesk::HeardFrom(const bundle::Header& header) {
  const auto signer = SignerOf(header);
  if (!signer) return;
  api::TrustHeld held;
  held.authority = header.authority;
  held.serial = signer->serial;
  // What is newer goes with the next file.
  trust_.Heard(wire::Caller{wire::CallerKind::kMember, header.issuer, held.serial, false}, held);
  auto seen = members_.Find(header.issuer);
  if (!seen) return;
  seen->last_seen = context_.clock.WallNow();
  if (auto told = members_.Admit(*seen); !told) {
    log::Warn("what a bundle tells of its sender was not kept", {{"cluster", header.issuer}});
  }
}

Result<std::int64_t> HandDesk::RevocationNumber() const {
  if (!context_.membership.revocations) return 0;
  OTE_TRY(const auto list,
          crypto::CheckRevocationList(*context_.membership.revocations, context_.membership.AuthorityKey(), 0));
  return list.number;
}

std::set<std::string> HandDesk::Needed() const {
  std::set<std::string> needed;
  const auto updates = context_.store.List<HandUpdate>();
  if (!updates) return needed;
  for (const auto& update : *updates) {
    if (!update.offer.digest.empty() && runs_.DriverOf(update.receipt.run) != nullptr) {
      needed.insert(update.offer.digest);
    }
  }
  return needed;
}

Result<std::int64_t> HandDesk::ForgetRun(const std::string& run, bool dry) {
  auto& store = context_.store;
  std::int64_t rows = 0;
  const auto take = [&]<class Row>(const std::vector<Row>& all, const auto& run_of) -> Result<void> {
    for (const auto& row : all) {
      if (run_of(row) != run) continue;
      ++rows;
      if (!dry) OTE_CHECK(store.Remove<Row>(row.Key()));
    }
    return {};
  };
  OTE_TRY(const auto tasks, store.List<HandTask>());
  OTE_CHECK(take(tasks, [](const HandTask& task) { return task.out.task.run; }));
  OTE_TRY(const auto updates, store.List<HandUpdate>());
  for (const auto& update : updates) {
    if (update.receipt.run != run || dry) continue;
    OTE_CHECK(store.Put(HandOver{update.receipt.cluster, run}));
  }
  OTE_CHECK(take(updates, [](const HandUpdate& update) { return update.receipt.run; }));
  OTE_TRY(const auto marks, store.List<bundle::Mark>());
  for (const auto& mark : marks) {
    if (mark.stream != run) continue;
    ++rows;
    if (dry) continue;
    // A site that was restored is told from one that was not by the highest number that it sent.
    bundle::Mark left{mark.issuer, "removed-runs", mark.sequence, mark.digest};
    OTE_TRY(const auto before, store.Get<bundle::Mark>(left.Key()));
    if (!before || before->sequence < left.sequence) OTE_CHECK(store.Put(left));
    OTE_CHECK(store.Remove<bundle::Mark>(mark.Key()));
  }
  return rows;
}

void HandDesk::Asked(const std::string& site, const api::Task& task) {
  const auto key = HandKey(task.run, task.round, api::StepOf(task), site);
  const auto update = context_.store.Get<HandUpdate>(key);
  if (!update || !*update) return;
  const auto given = context_.store.Get<HandTask>(key);
  if (!given || !*given || (*given)->out.nonce != (*update)->nonce ||
      api::TaskDigest((*given)->out.task) != api::TaskDigest(task))
    return;
  // Not from here: the run is in the midst of its work.
  context_.timers.At(context_.clock.SteadyNow(),
                     [this, alive = std::weak_ptr<bool>(alive_), site, offer = (*update)->offer] {
                       if (!alive.lock()) return;
                       auto* driver = runs_.DriverOf(offer.run);
                       if (driver == nullptr) return;
                       if (auto taken = driver->Carried(site, offer); !taken) {
                         log::Warn("an update that was carried here is not taken again",
                                   {{"run", offer.run}, {"cluster", site}, {"why", taken.error().message}});
                       }
                     });
}

}  // namespace ote::agent
