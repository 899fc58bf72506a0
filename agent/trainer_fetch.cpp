// How a site comes by what its tasks name: fetches the sealed copies and opens them.
#include <utility>

#include "agent/task_courier.h"
#include "agent/trainer.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

// How often a model that the parent would not give is asked for again, before the task is let go of: a parent that
// still wants it sends it again.
constexpr int kMostRefusals = 8;

}  // namespace

std::optional<Trainer::Given> Trainer::Lacking(const site::TaskRecord& record) const {
  const auto& task = record.task;
  if (api::IsMaskStep(task.kind)) return std::nullopt;
  const auto& seals = record.seals;
  for (const Given& given : {Given{task.model_digest, task.model_size, seals.model},
                             Given{task.local.control_digest, task.local.control_size, seals.control}}) {
    if (!given.digest.empty() && !context_.artifacts.Has(given.digest)) return given;
  }
  return std::nullopt;
}

void Trainer::Begin(const std::string& key) {
  if (Lacking(jobs_.at(key).record)) {
    FetchModel(key);
  } else {
    Train(key);
  }
}

void Trainer::BeginAgain(const std::string& key, std::uint64_t serial) {
  auto* waiting = Find(key, serial);
  if (waiting == nullptr) return;
  waiting->timer = 0;
  Begin(key);
}

void Trainer::FetchModel(const std::string& key) {
  auto& job = jobs_.at(key);
  const auto& copy = Lacking(job.record)->locked.copy;
  job.since = {};
  job.fetch = transfer_.Fetch(
      uplink_.Asker(), copy.digest, copy.size, Durability::kBestEffort,
      [this, alive = std::weak_ptr<bool>(alive_), key, serial = job.serial](const Result<void>& result) {
        if (alive.lock() && Find(key, serial) != nullptr) Fetched(key, result);
      });
}

void Trainer::Fetched(const std::string& key, const Result<void>& result) {
  auto& job = jobs_.at(key);
  job.fetch = 0;
  if (result) {
    // Another task may have brought it meanwhile.
    const auto given = Lacking(job.record);
    return given ? Open(key, *given) : Opened(key, {});
  }
  const auto& error = result.error();
  log::Warn("model not fetched", {{"run", job.Task().run}, {"round", job.Task().round}, {"why", error.message}});
  const bool refused = error.id == ErrorId::kPermission || error.id == ErrorId::kArtifactMissing;
  if (refused && job.tries >= kMostRefusals) {
    // Whoever still wants it sends it again.
    if (auto done = Forget(job.Task().run, job.Task().round, job.Task().stage); !done) {
      log::Error("task not forgotten", {{"why", done.error().message}});
    }
    return;
  }
  const bool disk = error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed;
  if (disk || !(refused || MayPass(error) || error.id == ErrorId::kFailed)) return KeepFailed(key, error, "fetch");
  job.timer = Later(job.tries, [this, key, serial = job.serial] { BeginAgain(key, serial); });
}

void Trainer::Open(const std::string& key, const Given& given) {
  auto& job = jobs_.at(key);
  job.opening = openings_.Begin(
      seals_.ModelToOpen(job.Task().run, given.locked, given.digest, given.size), Durability::kBestEffort,
      [this, alive = std::weak_ptr<bool>(alive_), key, serial = job.serial](const Result<void>& result) {
        if (alive.lock() && Find(key, serial) != nullptr) Opened(key, result);
      });
}

void Trainer::Opened(const std::string& key, const Result<void>& result) {
  auto& job = jobs_.at(key);
  job.opening = 0;
  if (!result && result.error().id == ErrorId::kSealBroken && !job.fetched_again) {
    log::Warn("a sealed model was damaged on our disk; fetching it again", {{"run", job.Task().run}});
    job.fetched_again = true;
    return Begin(key);
  }
  if (!result) {
    Error error = result.error();
    return KeepFailed(key, std::move(error).Context("the sealed model"), "fetch");
  }
  job.tries = 0;
  job.fetch_seconds += job.since.Seconds();
  Begin(key);  // there may be another to fetch
}

}  // namespace ote::agent
