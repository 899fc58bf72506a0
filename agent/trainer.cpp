#include "agent/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "agent/task_courier.h"
#include "core/base/log.h"
#include "core/record/statement.h"
#include "core/site/mask_identity.h"

namespace ote::agent {
namespace {

// Whether a task or an offer comes after another of the same run.
template <class A, class B>
bool After(const A& a, const B& b) {
  return std::pair(a.round, a.stage) > std::pair(b.round, b.stage);
}

}  // namespace

Trainer::Trainer(Context& context, Uplink& uplink, Transfer& transfer, Openings& openings, Datasets& datasets,
                 const Trainers& trainers)
    : context_(context),
      uplink_(uplink),
      transfer_(transfer),
      openings_(openings),
      datasets_(datasets),
      trainers_(trainers),
      seals_(context),
      memories_(context.clock, context.store, context.artifacts) {}

Trainer::~Trainer() {
  for (auto& [key, job] : jobs_) {
    context_.timers.Cancel(job.timer);
    transfer_.Cancel(job.fetch);
    openings_.Cancel(job.opening);
    job.training.request_stop();
  }
  for (auto& [key, answer] : answers_) context_.timers.Cancel(answer.timer);
}

Result<void> Trainer::Start() {
  auto& rpc = context_.rpc;
  rpc.RegisterCall<parcel::Parcel>(api::verb::kFlTask, kByParent,
                                   [this](const Request&, const auto& parcel) { return Take(parcel); });
  rpc.RegisterCall<api::RoundRef>(api::verb::kFlClose, kByParent,
                                  [this](const Request&, const auto& round) { return Close(round); });

  OTE_TRY(auto offers, context_.store.List<site::OfferRecord>());
  // What an older ote left cannot be answered as it is now; the root gives it again.
  for (auto& record : offers) {
    const auto key = record.Key();
    if (!Answerable(record)) {
      OTE_CHECK(context_.store.Remove<site::OfferRecord>(key));
      continue;
    }
    if (!record.update.digest.empty()) transfer_.Offer(record.update.digest);
    answers_[key].record = std::move(record);
  }
  OTE_TRY(auto tasks, context_.store.List<site::TaskRecord>());
  for (auto& record : tasks) {
    const auto key = record.Key();
    if (!Answerable(record)) {
      OTE_CHECK(context_.store.Remove<site::TaskRecord>(key));
      continue;
    }
    auto& job = jobs_[key];
    job.record = std::move(record);
    job.serial = next_serial_++;
    // When the agent has started: what a crash left is removed before another thread writes anew.
    job.timer =
        context_.timers.At(context_.clock.SteadyNow(), [this, key, serial = job.serial] { BeginAgain(key, serial); });
  }
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
    needed.insert(job.Task().model_digest);
    needed.insert(job.Task().local.control_digest);
    needed.insert(job.record.seals.model.copy.digest);
    needed.insert(job.record.seals.control.copy.digest);
  }
  needed.merge(memories_.Needed());
  for (const auto& [key, answer] : answers_) {
    needed.insert(answer.record.update.digest);
  }
  needed.erase("");
  return needed;
}

Trainer::Job* Trainer::Find(const std::string& key, std::uint64_t serial) {
  const auto it = jobs_.find(key);
  return it != jobs_.end() && it->second.serial == serial ? &it->second : nullptr;
}

Result<api::Empty> Trainer::Take(const parcel::Parcel& parcel) {
  auto opened = seals_.OpenTask(parcel);
  if (!opened) {
    log::Warn("task refused", {{"why", opened.error().message}});
    return Fail(std::move(opened).error());
  }
  const auto& record = *opened;
  const auto& task = record.task;
  OTE_CHECK(site::CheckTask(task));
  const auto key = record.Key();
  for (const auto& [other, job] : jobs_) {
    if (job.Task().run == task.run && After(job.Task(), task)) {
      return Fail(ErrorId::kRoundStale, fmt::format("run {}: round {} has begun here", task.run, job.Task().round));
    }
  }
  for (const auto& [other, answer] : answers_) {
    const auto& offer = answer.record.offer;
    if (offer.run == task.run && After(offer, task)) {
      return Fail(ErrorId::kRoundStale, fmt::format("run {}: round {} has begun here", task.run, offer.round));
    }
  }
  if (const auto it = answers_.find(key); it != answers_.end() && it->second.record.task == AnswerTo(record, {}).task) {
    OfferIt(key);
    return api::Empty{};
  }
  if (const auto it = jobs_.find(key);
      it != jobs_.end() && AnswerTo(it->second.record, {}).task == AnswerTo(record, {}).task) {
    OTE_CHECK(TakeAgain(key, record));
    return api::Empty{};
  }
  if (auto dataset = datasets_.Find(task.dataset); !dataset) return Fail(std::move(dataset).error());

  OTE_CHECK(Forget(task.run, task.round, task.stage));
  OTE_CHECK(context_.store.Put(record));
  auto& job = jobs_[key];
  job.record = record;
  job.serial = next_serial_++;
  log::Info("task taken", {{"run", task.run}, {"round", task.round}, {"kind", NameOf(task.kind)}});
  Begin(key);
  return api::Empty{};
}

// Whoever gives it has lost the old sealed copy, and with it what was fetched of it.
Result<void> Trainer::TakeAgain(const std::string& key, const site::TaskRecord& record) {
  auto& job = jobs_.at(key);
  if (job.record.seals == record.seals) return {};
  const auto before = job.record.seals;
  OTE_CHECK(context_.store.Put(record));
  job.record = record;
  if (job.fetch == 0 && job.timer == 0) return {};  // it has all that it needs
  transfer_.Cancel(std::exchange(job.fetch, 0));
  context_.timers.Cancel(std::exchange(job.timer, 0));
  job.tries = 0;
  DropCopies(before);
  Begin(key);
  return {};
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
  std::vector<api::TaskSeals> copies;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    auto& job = it->second;
    if (later(job.Task())) {
      ++it;
      continue;
    }
    OTE_CHECK(context_.store.Remove<site::TaskRecord>(it->first));
    context_.timers.Cancel(job.timer);
    transfer_.Cancel(job.fetch);
    openings_.Cancel(job.opening);
    job.training.request_stop();
    unneeded.push_back(job.Task().model_digest);
    unneeded.push_back(job.Task().local.control_digest);
    copies.push_back(job.record.seals);
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
    if (const auto& digest = it->second.record.update.digest; !digest.empty()) {
      transfer_.Withdraw(digest);
      unneeded.push_back(digest);
    }
    unneeded.push_back(it->second.record.model_digest);
    it = answers_.erase(it);
  }
  for (const auto& digest : unneeded) DropIfUnneeded(digest);
  for (const auto& seals : copies) DropCopies(seals);
  return {};
}

void Trainer::DropIfUnneeded(const std::string& digest) {
  if (!digest.empty() && !Needed().contains(digest)) context_.artifacts.Remove(digest);
}

void Trainer::DropCopies(const api::TaskSeals& seals) {
  for (const auto& digest : {seals.model.copy.digest, seals.control.copy.digest}) {
    if (digest.empty() || Needed().contains(digest)) continue;
    context_.artifacts.Remove(digest);
    context_.artifacts.Abandon(digest);
  }
}

void Trainer::Train(const std::string& key) {
  auto& job = jobs_.at(key);
  const auto& task = job.Task();
  auto file = datasets_.Find(task.dataset);
  if (!file) return KeepFailed(key, file.error(), "prepare");
  std::optional<site::OwnTrainer> own;
  if (task.kind == api::TaskKind::kTrain && task.trainer != api::TrainerKind::kBuiltin) {
    own = trainers_.For(task.dataset);
    if (!own && task.trainer == api::TrainerKind::kExec) {
      return KeepFailed(key, site::NoTrainer(task, context_.membership.name), "train");
    }
  }
  std::shared_ptr<const federate::MaskIdentity> identity;
  if (task.masks) {
    auto mine = site::MaskIdentityOf(context_.folder, context_.membership);
    if (!mine) return KeepFailed(key, mine.error(), "mask");
    identity = std::move(*mine);
  }
  const auto admitted = datasets_.GetLedger().Admit(task, file->dataset);
  if (!admitted) return KeepFailed(key, admitted.error(), "privacy");
  auto given = std::make_shared<site::Given>();
  given->silent = admitted->silent;
  const bool trains = !api::IsMaskStep(task.kind);  // steps of masks alone need no model, and fetched none
  const auto open = [this, trains](const std::string& digest,
                                   std::optional<store::MappedArtifact>& out) -> Result<void> {
    if (digest.empty() || !trains) return {};
    // The task's own check of the digest is enough.
    OTE_TRY(auto mapped, context_.artifacts.Map(digest, store::Artifacts::Check::kNothing));
    out.emplace(std::move(mapped));
    return {};
  };
  for (const auto& opened : {open(task.model_digest, given->model), open(task.local.control_digest, given->control)}) {
    if (!opened) return KeepFailed(key, opened.error(), "fetch");
  }
  given->memory = memories_.Load(task);
  job.training = datasets_.GetWorker().Run<Result<SealedAnswer>>(
      [work = site::Work{task, std::move(*file), std::move(own), std::move(identity), {}}, cache = datasets_.Cache(),
       given, seal = seals_.Sealer(job.record)](const std::stop_token& stop) -> Result<SealedAnswer> {
        OTE_TRY(auto answer, site::Perform(work, *cache, *given, stop));
        return seal(std::move(answer));
      },
      [this, alive = std::weak_ptr<bool>(alive_), key, serial = job.serial](Result<SealedAnswer> answer) {
        if (alive.lock()) Trained(key, serial, std::move(answer));
      });
}

void Trainer::Trained(const std::string& key, std::uint64_t serial, Result<SealedAnswer> made) {
  auto* job = Find(key, serial);
  if (job == nullptr) {  // superseded meanwhile
    if (made && !jobs_.contains(key)) DropIfUnneeded(made->update.digest);
    return;
  }
  const auto& task = job->Task();
  if (made && made->answer.offer.failed && !job->fetched_again &&
      made->answer.offer.error_code == static_cast<std::int64_t>(ErrorId::kArtifactCorrupt)) {
    log::Warn("the model was damaged on our disk; fetching it again", {{"run", task.run}});
    job->fetched_again = true;
    context_.artifacts.Remove(task.model_digest);
    if (!task.local.control_digest.empty()) context_.artifacts.Remove(task.local.control_digest);
    return Begin(key);
  }
  if (!made) made = SealedAnswer{site::Failed(task, made.error(), "train"), {}};
  auto& offer = made->answer.offer;
  offer.phases.fetch = job->fetch_seconds;
  const auto& phases = offer.phases;
  offer.seconds = phases.wait + phases.fetch + phases.prepare + phases.measure + phases.train;
  Keep(key, *made);
}

void Trainer::KeepFailed(const std::string& key, const Error& error, std::string_view phase) {
  Keep(key, {site::Failed(jobs_.at(key).Task(), error, phase), {}});
}

// What cannot be written is told as a failure, from memory: the parent need not wait for its deadline to learn of it.
void Trainer::Keep(const std::string& key, const SealedAnswer& made) {
  const auto given = jobs_.at(key).record;
  const auto& task = given.task;
  auto record = AnswerTo(given, made.answer.offer);
  record.update = made.update;
  // Of a data set that is no longer there nobody can tell what it allowed.
  const auto file = datasets_.Find(task.dataset);
  record.fold = file ? file->dataset.fold : api::FoldPolicy::kRefuse;
  record::Countersign(record.offer, given.digest, context_.membership.name, context_.sign_key,
                      context_.membership.certificate);
  const auto written = context_.store.Transaction([&]() -> Result<void> {
    OTE_CHECK(context_.store.Put(record));
    OTE_CHECK(context_.store.Remove<site::TaskRecord>(key));
    if (!made.answer.offer.failed) {
      api::Dataset told;  // it may have been removed meanwhile
      told.name = task.dataset;
      if (file) told = file->dataset;
      OTE_CHECK(datasets_.GetLedger().Answered(task, told));
    }
    return memories_.Put(task, made.answer);
  });
  if (!written) {
    log::Error("answer not kept", {{"run", task.run}, {"round", task.round}, {"why", written.error().message}});
    record = AnswerTo(given, federate::FailedOffer(task, written.error(), "write"));
  }
  memories_.Sweep();
  jobs_.erase(key);
  const auto& offer = record.offer;
  if (offer.failed) {
    log::Warn("task failed", {{"run", task.run}, {"round", task.round}, {"phase", offer.phase}, {"why", offer.error}});
  } else {
    log::Info("task done", {{"run", task.run}, {"round", task.round}, {"examples", offer.examples}});
  }
  if (!record.update.digest.empty()) transfer_.Offer(record.update.digest);
  answers_[key].record = std::move(record);
  for (const auto& digest : {task.model_digest, task.local.control_digest, made.update.digest}) DropIfUnneeded(digest);
  DropCopies(given.seals);
  OfferIt(key);
}

void Trainer::OfferIt(const std::string& key) {
  auto& answer = answers_.at(key);
  // With no line there is nothing to do: it is offered when the line is back.
  if (answer.asking || !uplink_.Connected()) return;
  context_.timers.Cancel(answer.timer);
  answer.timer = 0;
  record::Recertify(answer.record.offer, context_.sign_key, context_.membership.certificate);
  const auto packed = seals_.PackOffer(answer.record);
  if (!packed) {
    log::Error("answer not packed", {{"run", answer.record.offer.run}, {"why", packed.error().message}});
    return;
  }
  answer.asking = true;
  uplink_.CallAbove(uplink_.RootName(), api::verb::kFlOffer, ToJson(*packed), kPatience,
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
  if (MayPass(error) || parcel::MayBeDamage(error.id)) {
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
