// Tasks for sites that are reached by files.
#include <fmt/format.h>

#include "agent/by_hand/desk.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/federate/trips.h"
#include "core/site/perform.h"
#include "crypto/secret.h"

namespace ote::agent {
namespace {

constexpr std::size_t kMostOver = 64;  // runs that a task tells to have ended

// The runs of a site that have ended, as far as they were carried to it.
Result<std::vector<std::string>> EndedRuns(store::Store& store, const RunController& runs, const std::string& cluster) {
  std::set<std::string> ended;
  OTE_TRY(const auto updates, store.List<HandUpdate>());
  for (const auto& update : updates) {
    if (update.receipt.cluster != cluster || runs.DriverOf(update.receipt.run) != nullptr) continue;
    const auto run = runs.Show(update.receipt.run);
    if (run && run->status == api::RunStatus::kFinished) ended.insert(update.receipt.run);
  }
  OTE_TRY(const auto removed, store.List<HandOver>());
  for (const auto& over : removed) {
    if (over.cluster == cluster) ended.insert(over.run);
  }
  std::vector<std::string> out(ended.begin(), ended.end());
  if (out.size() > kMostOver) out.resize(kMostOver);
  return out;
}

}  // namespace

Result<api::ExportReply> HandDesk::Export(const api::ExportRequest& request) {
  OTE_TRY(const auto cluster, HandMember(request.cluster, !request.dry_run));
  OTE_TRY(const auto id, runs_.IdOf(request.run));
  OTE_TRY(const auto run, runs_.Show(id));
  auto* driver = runs_.DriverOf(id);
  const auto* task = driver == nullptr ? nullptr : driver->TaskOf(cluster.name);
  if (task == nullptr) {
    return Fail(ErrorId::kNoTask,
                fmt::format("run {}: it asks nothing of {} now ({}{}{})", request.run, cluster.name, NameOf(run.status),
                            run.message.empty() ? "" : ": ", run.message),
                fmt::format("ote fl show {}", request.run));
  }
  const auto key = HandKey(id, task->round, api::StepOf(*task), cluster.name);
  OTE_TRY(auto given, context_.store.Get<HandTask>(key));
  if (!request.digest.empty()) {
    if (!given) return Fail(ErrorId::kNoTask, fmt::format("run {}: it asks for something else by now", request.run));
    return Confirm(request, std::move(*given));
  }
  OTE_TRY(const auto answered, context_.store.Get<HandUpdate>(key));
  const bool same_task = given && api::TaskDigest(given->out.task) == api::TaskDigest(*task);
  if (answered && same_task && answered->nonce == given->out.nonce) {
    return Fail(
        ErrorId::kNoTask,
        fmt::format("run {}: {} has answered round {} ({})", request.run, cluster.name, task->round, run.message),
        fmt::format("ote fl show {}", request.run));
  }
  HandTask made;
  OTE_TRY(made.revocations, RevocationNumber());
  auto& out = made.out;
  out.cluster = cluster.name;
  OTE_TRY(const auto certified, CertifiedOf(cluster));
  made.serial = certified.body.serial;
  out.receiver_key = certified.body.transport_key;
  out.task = same_task ? given->out.task : *task;
  out.rounds = run.planned_rounds;
  out.trips = federate::TripsLeft(run, out.task);
  OTE_TRY(out.seen, bundle::HighestOf(context_.store, cluster.name));
  OTE_TRY(out.over, EndedRuns(context_.store, runs_, cluster.name));
  out.certificate = certified.certificate;
  out.revocations = context_.membership.revocations;
  if (same_task && given->serial == made.serial && given->revocations == made.revocations &&
      given->out.seen == out.seen && given->out.over == out.over && given->out.receiver_key == out.receiver_key) {
    return given->out;
  }
  // What answers an earlier bundle of the same task answers this one too.
  if (same_task) {
    out.nonce = given->out.nonce;
    made.digests = given->digests;
  } else {
    const auto nonce = crypto::SecretBytes::Random(16);
    out.nonce.assign(nonce.View().begin(), nonce.View().end());
  }
  if (request.dry_run) return out;
  out.created = context_.clock.WallNow();
  auto kept = context_.store.Transaction([&]() -> Result<void> {
    OTE_TRY(out.sequence, context_.store.NextNumber(kSentNumbers));
    return context_.store.Put(made);
  });
  OTE_CHECK(std::move(kept));
  return out;
}

Result<api::ExportReply> HandDesk::Confirm(const api::ExportRequest& request, HandTask task) {
  if (request.sequence != task.out.sequence) {
    return Fail(ErrorId::kNoTask, fmt::format("run {}: it was exported again meanwhile", request.run),
                "export it once more");
  }
  if (std::find(task.digests.begin(), task.digests.end(), request.digest) == task.digests.end()) {
    task.digests.push_back(request.digest);
    OTE_CHECK(context_.store.Put(task));
    log::Info("task exported",
              {{"run", task.out.task.run}, {"round", task.out.task.round}, {"cluster", task.out.cluster}});
  }
  return task.out;
}

}  // namespace ote::agent
