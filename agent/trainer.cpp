#include "agent/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "agent/mask_identity.h"
#include "agent/task_courier.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

// Whether a task or an offer comes after another of the same run.
template <class A, class B>
bool After(const A& a, const B& b) {
  return std::pair(a.round, a.stage) > std::pair(b.round, b.stage);
}

// How often a model that the parent would not give is asked for again, before the task is let go of: a parent that
// still wants it sends it again.
constexpr int kMostRefusals = 8;

}  // namespace

Trainer::Trainer(Context& context, Uplink& uplink, Transfer& transfer, Datasets& datasets, const Trainers& trainers)
    : context_(context),
      uplink_(uplink),
      transfer_(transfer),
      datasets_(datasets),
      trainers_(trainers),
      memories_(context.clock, context.store, context.artifacts) {}

Trainer::~Trainer() {
  for (auto& [key, job] : jobs_) {
    context_.timers.Cancel(job.timer);
    transfer_.Cancel(job.fetch);
    job.training.request_stop();
  }
  for (auto& [key, answer] : answers_) context_.timers.Cancel(answer.timer);
}

Result<void> Trainer::Start() {
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::Task>(api::verb::kFlTask, kByParent,
                              [this](const Request&, const auto& task) { return Take(task); });
  rpc.RegisterCall<api::RoundRef>(api::verb::kFlClose, kByParent,
                                  [this](const Request&, const auto& round) { return Close(round); });

  OTE_TRY(auto offers, context_.store.List<site::OfferRecord>());
  for (auto& record : offers) {
    const auto key = record.Key();
    if (!record.offer.digest.empty()) transfer_.Offer(record.offer.digest);
    answers_[key].record = std::move(record);
  }
  OTE_TRY(auto tasks, context_.store.List<site::TaskRecord>());
  std::vector<std::string> keys;
  for (auto& record : tasks) {
    const auto key = record.Key();
    auto& job = jobs_[key];
    job.task = std::move(record.task);
    job.serial = next_serial_++;
    keys.push_back(key);
  }
  for (const auto& key : keys) Begin(key);
  uplink_.OnConnected([this] {
    for (auto& [key, answer] : answers_) {
      answer.tries = 0;
      OfferIt(key);
    }
    // Those that wait for the line; others are being fetched or trained.
    for (auto& [key, job] : jobs_) {
      if (job.timer == 0) continue;
      context_.timers.Cancel(job.timer);
      job.timer = 0;
      job.tries = 0;
      Begin(key);
    }
  });
  return {};
}

std::set<std::string> Trainer::Needed() const {
  std::set<std::string> needed;
  for (const auto& [key, job] : jobs_) {
    needed.insert(job.task.model_digest);
    needed.insert(job.task.local.control_digest);
  }
  needed.merge(memories_.Needed());
  for (const auto& [key, answer] : answers_) {
    if (!answer.record.offer.digest.empty()) needed.insert(answer.record.offer.digest);
  }
  return needed;
}

Trainer::Job* Trainer::Find(const std::string& key, std::uint64_t serial) {
  const auto it = jobs_.find(key);
  return it != jobs_.end() && it->second.serial == serial ? &it->second : nullptr;
}

Result<api::Empty> Trainer::Take(const api::Task& task) {
  OTE_CHECK(site::CheckTask(task));
  const auto key = site::TaskKey(task.run, task.round, task.stage);
  for (const auto& [other, job] : jobs_) {
    if (job.task.run == task.run && After(job.task, task)) {
      return Fail(ErrorId::kRoundStale, fmt::format("run {}: round {} has begun here", task.run, job.task.round));
    }
  }
  for (const auto& [other, answer] : answers_) {
    const auto& offer = answer.record.offer;
    if (offer.run == task.run && After(offer, task)) {
      return Fail(ErrorId::kRoundStale, fmt::format("run {}: round {} has begun here", task.run, offer.round));
    }
  }
  if (const auto it = answers_.find(key); it != answers_.end() && it->second.record.model_digest == task.model_digest) {
    OfferIt(key);
    return api::Empty{};
  }
  if (const auto it = jobs_.find(key); it != jobs_.end() && site::SameTask(it->second.task, task)) return api::Empty{};
  if (auto dataset = datasets_.Find(task.dataset); !dataset) return Fail(std::move(dataset).error());

  OTE_CHECK(Forget(task.run, task.round, task.stage));
  OTE_CHECK(context_.store.Put(site::TaskRecord{task}));
  auto& job = jobs_[key];
  job.task = task;
  job.serial = next_serial_++;
  log::Info("task taken", {{"run", task.run}, {"round", task.round}, {"kind", NameOf(task.kind)}});
  Begin(key);
  return api::Empty{};
}

Result<api::Empty> Trainer::Close(const api::RoundRef& round) {
  OTE_CHECK(Forget(round.run, round.round));
  OTE_CHECK(memories_.CloseRound(round.run, round.round));
  if (round.over) {
    OTE_CHECK(memories_.Forget(round.run));
    memories_.Sweep();
  }
  return api::Empty{};
}

Result<void> Trainer::Forget(const std::string& run, std::int64_t round, std::int64_t stage) {
  const auto later = [&](const auto& what) {
    return what.run != run || std::pair(what.round, what.stage) > std::pair(round, stage);
  };
  std::vector<std::string> unneeded;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    auto& job = it->second;
    if (later(job.task)) {
      ++it;
      continue;
    }
    OTE_CHECK(context_.store.Remove<site::TaskRecord>(it->first));
    context_.timers.Cancel(job.timer);
    transfer_.Cancel(job.fetch);
    job.training.request_stop();
    unneeded.push_back(job.task.model_digest);
    unneeded.push_back(job.task.local.control_digest);
    it = jobs_.erase(it);
  }
  for (auto it = answers_.begin(); it != answers_.end();) {
    const auto& offer = it->second.record.offer;
    if (later(offer)) {
      ++it;
      continue;
    }
    OTE_CHECK(context_.store.Remove<site::OfferRecord>(it->first));
    // Left when the answer could not be written.
    OTE_CHECK(context_.store.Remove<site::TaskRecord>(it->first));
    context_.timers.Cancel(it->second.timer);
    if (!offer.digest.empty()) {
      transfer_.Withdraw(offer.digest);
      unneeded.push_back(offer.digest);
    }
    unneeded.push_back(it->second.record.model_digest);
    it = answers_.erase(it);
  }
  for (const auto& digest : unneeded) DropIfUnneeded(digest);
  return {};
}

void Trainer::DropIfUnneeded(const std::string& digest) {
  if (!digest.empty() && !Needed().contains(digest)) context_.artifacts.Remove(digest);
}

std::optional<std::pair<std::string, std::int64_t>> Trainer::Lacking(const api::Task& task) const {
  if (api::IsMaskStep(task.kind)) return std::nullopt;
  for (const auto& [digest, size] :
       {std::pair(task.model_digest, task.model_size), std::pair(task.local.control_digest, task.local.control_size)}) {
    if (!digest.empty() && !context_.artifacts.Has(digest)) return std::pair(digest, size);
  }
  return std::nullopt;
}

void Trainer::Begin(const std::string& key) {
  if (Lacking(jobs_.at(key).task)) {
    FetchModel(key);
  } else {
    Train(key);
  }
}

void Trainer::FetchModel(const std::string& key) {
  auto& job = jobs_.at(key);
  const auto [digest, size] = *Lacking(job.task);
  job.since = {};
  const auto ask = [this](std::string_view verb, Json body, std::chrono::milliseconds patience,
                          Rpc::Continuation then) { uplink_.Call(verb, std::move(body), patience, std::move(then)); };
  job.fetch = transfer_.Fetch(
      ask, digest, size, Durability::kBestEffort,
      [this, alive = std::weak_ptr<bool>(alive_), key, serial = job.serial](const Result<void>& result) {
        if (!alive.lock()) return;
        auto* found = Find(key, serial);
        if (found == nullptr) return;
        found->fetch = 0;
        if (result) {
          found->tries = 0;
          found->fetch_seconds += found->since.Seconds();
          return Begin(key);  // there may be another to fetch
        }
        const auto& error = result.error();
        log::Warn("model not fetched",
                  {{"run", found->task.run}, {"round", found->task.round}, {"why", error.message}});
        const bool refused = error.id == ErrorId::kPermission || error.id == ErrorId::kArtifactMissing;
        if (refused && found->tries >= kMostRefusals) {
          // Whoever still wants it sends it again.
          if (auto done = Forget(found->task.run, found->task.round, found->task.stage); !done) {
            log::Error("task not forgotten", {{"why", done.error().message}});
          }
          return;
        }
        const bool disk = error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed;
        if (disk || !(refused || MayPass(error) || error.id == ErrorId::kFailed)) {
          return Keep(key, site::Failed(found->task, error, "fetch"));
        }
        found->timer = Later(found->tries, [this, key, serial] {
          if (auto* waiting = Find(key, serial)) {
            waiting->timer = 0;
            Begin(key);
          }
        });
      });
}

void Trainer::Train(const std::string& key) {
  auto& job = jobs_.at(key);
  auto file = datasets_.Find(job.task.dataset);
  if (!file) return Keep(key, site::Failed(job.task, file.error(), "prepare"));
  std::optional<site::OwnTrainer> own;
  if (job.task.kind == api::TaskKind::kTrain && job.task.trainer != api::TrainerKind::kBuiltin) {
    own = trainers_.For(job.task.dataset);
    if (!own && job.task.trainer == api::TrainerKind::kExec) {
      return Keep(key, site::Failed(job.task, site::NoTrainer(job.task, context_.membership.name), "train"));
    }
  }
  auto given = std::make_shared<site::Given>();
  const bool trains = !api::IsMaskStep(job.task.kind);  // steps of masks alone need no model, and fetched none
  const auto open = [this, trains](const std::string& digest,
                                   std::optional<store::MappedArtifact>& out) -> Result<void> {
    if (digest.empty() || !trains) return {};
    // The task's own check of the digest is enough.
    OTE_TRY(auto mapped, context_.artifacts.Map(digest, store::Artifacts::Check::kNothing));
    out.emplace(std::move(mapped));
    return {};
  };
  std::shared_ptr<const federate::MaskIdentity> identity;
  if (job.task.masks) {
    auto mine = MaskIdentityOf(context_);
    if (!mine) return Keep(key, site::Failed(job.task, mine.error(), "mask"));
    identity = std::shared_ptr<const federate::MaskIdentity>(*mine, &(*mine)->identity);
  }
  for (const auto& opened :
       {open(job.task.model_digest, given->model), open(job.task.local.control_digest, given->control)}) {
    if (!opened) return Keep(key, site::Failed(job.task, opened.error(), "fetch"));
  }
  given->memory = memories_.Load(job.task.run);
  job.training = datasets_.GetWorker().Run<Result<federate::SiteAnswer>>(
      [work = site::Work{job.task, std::move(*file), std::move(own), std::move(identity), {}},
       cache = datasets_.Cache(),
       given](const std::stop_token& stop) { return site::Perform(work, *cache, *given, stop); },
      [this, alive = std::weak_ptr<bool>(alive_), key, serial = job.serial](Result<federate::SiteAnswer> answer) {
        if (alive.lock()) Trained(key, serial, std::move(answer));
      });
}

void Trainer::Trained(const std::string& key, std::uint64_t serial, Result<federate::SiteAnswer> answer) {
  auto* job = Find(key, serial);
  if (job == nullptr) return;  // superseded meanwhile
  if (answer && answer->offer.failed && !job->fetched_again &&
      answer->offer.error_code == static_cast<std::int64_t>(ErrorId::kArtifactCorrupt)) {
    log::Warn("the model was damaged on our disk; fetching it again", {{"run", job->task.run}});
    job->fetched_again = true;
    context_.artifacts.Remove(job->task.model_digest);
    if (!job->task.local.control_digest.empty()) context_.artifacts.Remove(job->task.local.control_digest);
    return Begin(key);
  }
  if (!answer) answer = site::Failed(job->task, answer.error(), "train");
  auto& offer = answer->offer;
  offer.phases.fetch = job->fetch_seconds;
  const auto& phases = offer.phases;
  offer.seconds = phases.wait + phases.fetch + phases.prepare + phases.measure + phases.train;
  Keep(key, *answer);
}

// What cannot be written is told as a failure, from memory: the parent need not wait for its deadline to learn of it.
void Trainer::Keep(const std::string& key, const federate::SiteAnswer& made) {
  const auto task = jobs_.at(key).task;
  site::OfferRecord record{made.offer, task.model_digest};
  const auto write = [&]() -> Result<void> {
    if (!made.update.empty()) OTE_CHECK(context_.artifacts.Put(made.offer.digest, made.update));
    return context_.store.Transaction([&]() -> Result<void> {
      OTE_CHECK(context_.store.Put(record));
      OTE_CHECK(context_.store.Remove<site::TaskRecord>(key));
      return memories_.Put(task, made);
    });
  };
  if (auto written = write(); !written) {
    log::Error("answer not kept", {{"run", task.run}, {"round", task.round}, {"why", written.error().message}});
    record.offer = federate::FailedOffer(task, written.error(), "write");
  }
  memories_.Sweep();
  jobs_.erase(key);
  const auto& offer = record.offer;
  if (offer.failed) {
    log::Warn("task failed", {{"run", task.run}, {"round", task.round}, {"phase", offer.phase}, {"why", offer.error}});
  } else {
    log::Info("task done", {{"run", task.run}, {"round", task.round}, {"examples", offer.examples}});
  }
  if (!offer.digest.empty()) transfer_.Offer(offer.digest);
  answers_[key].record = std::move(record);
  DropIfUnneeded(task.model_digest);
  OfferIt(key);
}

void Trainer::OfferIt(const std::string& key) {
  auto& answer = answers_.at(key);
  // With no line there is nothing to do: it is offered when the line is back.
  if (answer.asking || !uplink_.Connected()) return;
  context_.timers.Cancel(answer.timer);
  answer.timer = 0;
  answer.asking = true;
  uplink_.Call(api::verb::kFlOffer, ToJson(answer.record.offer), kPatience,
               [this, alive = std::weak_ptr<bool>(alive_), key](const Result<wire::Envelope>& reply) {
                 if (alive.lock()) Offered(key, reply);
               });
}

void Trainer::Offered(const std::string& key, const Result<wire::Envelope>& reply) {
  const auto it = answers_.find(key);
  if (it == answers_.end()) return;
  auto& answer = it->second;
  answer.asking = false;
  if (reply) return;
  const auto& error = reply.error();
  if (MayPass(error)) {
    answer.timer = Later(answer.tries, [this, key] {
      const auto found = answers_.find(key);
      if (found == answers_.end()) return;
      found->second.timer = 0;
      OfferIt(key);
    });
    return;
  }
  const auto offer = answer.record.offer;
  log::Warn("update refused", {{"run", offer.run}, {"round", offer.round}, {"why", error.message}});
  if (auto done = Forget(offer.run, offer.round, offer.stage); !done) {
    log::Error("update not forgotten", {{"why", done.error().message}});
  }
}

Timers::Id Trainer::Later(int& tries, std::function<void()> fn) {
  const auto pause = std::min(kLongestPause, kPause * (1 << std::min(tries, 5)));
  ++tries;
  return context_.timers.At(context_.clock.SteadyNow() + pause, std::move(fn));
}

}  // namespace ote::agent
