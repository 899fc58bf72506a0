#include "agent/run_driver.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/record_keeper.h"
#include "agent/run_records.h"
#include "agent/sealing/run_keys.h"
#include "agent/watch/tally.h"
#include "core/base/log.h"
#include "core/record/statement.h"
#include "core/site/mask_identity.h"
#include "core/site/model_registry.h"

namespace ote::agent {

federate::Artifacts ArtifactsOf(store::Artifacts& artifacts) {
  return {[&artifacts](const std::string& digest) { return artifacts.Get(digest); },
          [&artifacts](const std::string& digest, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
            OTE_TRY(const Bytes bytes, artifacts.ReadRange(digest, static_cast<std::uint64_t>(offset), out.size()));
            if (bytes.size() != out.size())
              return Fail(ErrorId::kArtifactCorrupt, digest + ": it is shorter than it was");
            std::copy(bytes.begin(), bytes.end(), out.begin());
            return {};
          }};
}

federate::Limits DriverLimits() {
  federate::Limits limits;
  limits.stopwatch = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  return limits;
}

Result<std::optional<federate::ModelFile>> StartOf(Context& context, const api::RunSpec& spec) {
  if (spec.from.empty()) return std::nullopt;
  auto bytes = context.artifacts.Get(spec.from);
  if (!bytes) return Fail(std::move(bytes).error().Context("from: model " + spec.from));
  OTE_TRY(auto file, federate::ReadModelFile(*bytes));
  return file;
}

federate::Site SiteOf(const Members& members, const api::Cluster& cluster, const std::string& dataset) {
  const bool by_hand = cluster.status == api::ClusterStatus::kByHand;
  federate::Site site{cluster.name, cluster.labels, by_hand || cluster.status == api::ClusterStatus::kReady,
                      std::nullopt, by_hand};
  const auto it = std::ranges::find(cluster.datasets, dataset, &api::DatasetSummary::name);
  if (it != cluster.datasets.end()) site.dataset = *it;
  site.via = members.ChildTowards(cluster.name);
  if (site.via == cluster.name) site.via.clear();
  return site;
}

std::vector<federate::Site> SitesOf(const Members& members, const std::string& dataset) {
  const auto clusters = members.List();
  std::vector<federate::Site> sites;
  for (std::size_t i = 1; i < clusters.size(); ++i) sites.push_back(SiteOf(members, clusters[i], dataset));
  return sites;
}

RunDriver::RunDriver(Context& context, Members& members, Transfer& transfer, Openings& openings, Worker& worker,
                     Hooks hooks, std::string id)
    : context_(context),
      members_(members),
      transfer_(transfer),
      openings_(openings),
      hooks_(std::move(hooks)),
      id_(std::move(id)),
      seals_(context, members, id_),
      courier_(
          context, members, transfer, seals_,
          [this](const api::Task& task, const std::string& site, const Error& error) {
            Feed(federate::TaskRefused{site, task.round, error, task.stage});
          },
          [this](const Error& error) { Halt(error); }),
      sums_(context, members, transfer, openings, seals_, id_,
            {[this](const federate::Event& event) { Feed(event); }, [this](const Error& error) { Halt(error); },
             [this](const std::string& digest) {
               return Halted() || Needed().contains(digest) || hooks_.needed(digest, id_);
             }}),
      unmasking_(worker, [this](const federate::Event& event) { Feed(event); }) {}

RunDriver::~RunDriver() {
  context_.timers.Cancel(wake_);
  context_.timers.Cancel(retry_);
  StopFetches();
}

federate::Now RunDriver::Now() const { return {context_.clock.WallNow(), context_.clock.SteadyNow()}; }

federate::Limits RunDriver::LimitsNow() const {
  auto limits = DriverLimits();
  limits.members = site::KnownMembersNow(context_.membership);  // they are removed while a run goes on
  return limits;
}

Result<void> RunDriver::Start(const api::RunSpec& spec, const std::string& request_id) {
  dataset_ = spec.dataset;
  const auto start = [&]() -> Result<void> {
    OTE_TRY(const auto from, StartOf(context_, spec));
    federate::Outcome outcome;
    OTE_TRY(auto machine,
            federate::RunMachine::Start(id_, spec, request_id, SitesOf(members_, dataset_), LimitsNow(),
                                        ArtifactsOf(context_.artifacts), Now(), &outcome, from ? &*from : nullptr));
    OTE_CHECK(seals_.Open());
    machine_ = std::move(machine);
    return Perform(std::move(outcome.actions));
  };
  auto started = start();
  if (!started) WipeRunKey(context_.folder, id_);
  return started;
}

Result<federate::RunMachine> RunDriver::Restored(federate::Resume resume, federate::Outcome* outcome) {
  OTE_TRY(const auto run, context_.store.Get<api::Run>(id_));
  OTE_TRY(const auto state, context_.store.Get<RunState>(id_));
  if (!run || !state) return Fail(ErrorId::kStoreCorrupt, "what the run is restored from is not in the store");
  dataset_ = run->spec.dataset;
  OTE_CHECK(seals_.Open());
  return federate::RunMachine::Restore(state->snapshot, SitesOf(members_, dataset_), LimitsNow(),
                                       ArtifactsOf(context_.artifacts), Now(), outcome, resume);
}

void RunDriver::Restore() {
  context_.timers.Cancel(retry_);
  retry_ = 0;
  federate::Outcome outcome;
  auto machine = Restored(federate::Resume::kNo, &outcome);
  if (!machine) {
    const auto& error = machine.error();
    return MayPass(error) ? Halt(error) : FailForGood(error);
  }
  machine_ = std::move(*machine);
  halted_.reset();
  if (auto done = Perform(std::move(outcome.actions)); !done) Halt(done.error());
}

Result<void> RunDriver::Resume() {
  federate::Outcome outcome;
  OTE_TRY(auto machine, Restored(federate::Resume::kYes, &outcome));
  machine_ = std::move(machine);
  return Perform(std::move(outcome.actions));
}

Error RunDriver::Busy() const {
  return {ErrorId::kBusy,
          "run " + id_ + ": its root cannot write its state just now: " +
              (halted_ ? halted_->message : std::string("it has ended")),
          {}};
}

std::optional<Error> RunDriver::Feed(const federate::Event& event) {
  if (!machine_) return Busy();
  auto outcome = machine_->Handle(event, Now());
  if (auto done = Perform(std::move(outcome.actions)); !done) {
    const Error error = done.error();
    Halt(error);
    return Error{ErrorId::kBusy, "run " + id_ + ": its root cannot write its state just now: " + error.message, {}};
  }
  return std::move(outcome.refused);
}

// Everything that must be on disk comes first, in one go: the snapshot is of now, whatever stands between the actions.
Result<void> RunDriver::Perform(std::vector<federate::Action> actions) {
  OTE_CHECK(MakeDurable(actions));
  const bool over =
      std::ranges::any_of(actions, [](const auto& a) { return std::holds_alternative<federate::Over>(a); });
  for (auto& action : actions) Announce(action);
  hooks_.advanced(id_);
  if (over) {
    courier_.ForgetAll();
    context_.timers.Cancel(wake_);
    wake_ = 0;
    sums_.ForgetAll();
    unmasking_.Stop();
    EndSeals();
    hooks_.over(id_);
  }
  return {};
}

Result<void> RunDriver::MakeDurable(std::vector<federate::Action>& actions) {
  RunRecord record;
  std::vector<api::RecordEntry> entries;
  bool save = false;
  for (auto& action : actions) {
    if (auto* artifact = std::get_if<federate::StoreArtifact>(&action)) {
      OTE_CHECK(context_.artifacts.Put(artifact->digest, artifact->bytes));
      artifact->bytes = {};
    } else if (auto* line = std::get_if<federate::Log>(&action)) {
      record.events.push_back(std::move(line->event));
    } else if (auto* model = std::get_if<federate::RegisterModel>(&action)) {
      record.model = std::move(model->entry);
      site::AddLineage(*record.model, machine_->View());
    } else if (auto* enter = std::get_if<federate::Enter>(&action)) {
      entries.push_back(std::move(enter->entry));
    } else if (std::holds_alternative<federate::SaveState>(action)) {
      save = true;
    } else if (std::holds_alternative<federate::Over>(action)) {
      record.over = true;
    }
  }
  if (save || record.over) record.run = machine_->View();
  // A run that did not finish can be taken up again.
  const bool finished = machine_->View().status == api::RunStatus::kFinished;
  if (save && !finished) record.snapshot = machine_->Snapshot();
  if (record.snapshot) record.needed = machine_->Needed();
  if (!record.run && record.events.empty() && !record.model && entries.empty()) return {};
  auto written = context_.store.Transaction([&]() -> Result<void> {
    OTE_CHECK(WriteEntries(context_, id_, std::move(entries)));
    return WriteRecord(context_.store, id_, record);
  });
  if (!written) return written;
  if (context_.tally != nullptr) {
    for (const auto& event : record.events) context_.tally->Happened(id_, event.kind, event.at);
  }
  return {};
}

void RunDriver::Announce(federate::Action& action) {
  if (auto* send = std::get_if<federate::SendTask>(&action)) {
    courier_.Send(send->site, send->task);
    hooks_.asked(send->site, send->task);
  } else if (const auto* fetch = std::get_if<federate::FetchUpdate>(&action)) {
    Fetch(*fetch);
  } else if (const auto* sum = std::get_if<federate::FetchSum>(&action)) {
    sums_.Fetch(*sum);
  } else if (const auto* unmask = std::get_if<federate::Unmask>(&action)) {
    unmasking_.Start(*unmask);
  } else if (const auto* close = std::get_if<federate::CloseRound>(&action)) {
    CloseRound(*close);
  } else if (const auto* wake = std::get_if<federate::WakeAt>(&action)) {
    Wake(wake->steady);
  } else if (const auto* drop = std::get_if<federate::DropArtifact>(&action)) {
    if (!hooks_.needed(drop->digest, id_)) context_.artifacts.Remove(drop->digest);
  }
}

void RunDriver::Fetch(const federate::FetchUpdate& wanted) {
  StopFetch(wanted.site);
  const auto peer = members_.WayTo(wanted.site);
  auto sealed = seals_.UpdateOf(wanted.site, wanted.digest);
  if (!peer) sealed = Fail(ErrorId::kUnreachable, wanted.site + ": not connected");
  if (!sealed) {
    // Not from here: the machine is not fed while its actions are performed.
    if (!peer && context_.artifacts.Has(wanted.digest)) {  // it was carried here
      context_.timers.At(context_.clock.SteadyNow(), [this, alive = std::weak_ptr<bool>(alive_), wanted] {
        if (alive.lock()) Deliver(wanted, context_.artifacts.Map(wanted.digest));
      });
      return;
    }
    context_.timers.At(context_.clock.SteadyNow(),
                       [this, alive = std::weak_ptr<bool>(alive_), wanted, error = sealed.error()] {
                         if (alive.lock()) Arrived(wanted, Fail(error));
                       });
    return;
  }
  fetches_[wanted.site] = transfer_.Fetch(transfer_.AskAt(*peer), sealed->digest, sealed->size, Durability::kBestEffort,
                                          [this, alive = std::weak_ptr<bool>(alive_), wanted](Result<void> result) {
                                            if (!alive.lock()) return;
                                            fetches_.erase(wanted.site);
                                            Arrived(wanted, std::move(result));
                                          });
}

void RunDriver::StopFetch(const std::string& site) {
  if (const auto fetch = fetches_.extract(site)) transfer_.Cancel(fetch.mapped());
  if (const auto opening = opening_.extract(site)) openings_.Cancel(opening.mapped());
}

void RunDriver::StopFetches() {
  while (!fetches_.empty()) StopFetch(fetches_.begin()->first);
  while (!opening_.empty()) StopFetch(opening_.begin()->first);
}

void RunDriver::Arrived(const federate::FetchUpdate& wanted, Result<void> result) {
  if (!machine_) return;
  if (!result) return Deliver(wanted, Fail(result.error()));
  opening_[wanted.site] = openings_.Begin(seals_.UpdateToOpen(wanted.site, wanted.digest), Durability::kSynced,
                                          [this, alive = std::weak_ptr<bool>(alive_), wanted](Result<void> opened) {
                                            if (alive.lock()) Opened(wanted, std::move(opened));
                                          });
}

void RunDriver::Opened(const federate::FetchUpdate& wanted, Result<void> result) {
  opening_.erase(wanted.site);
  if (!result) result = Fail(std::move(result).error().Context("the sealed update of " + wanted.site));
  if (!result) return Deliver(wanted, Fail(result.error()));
  // Its digest was checked just now, when it was opened.
  Deliver(wanted, context_.artifacts.Map(wanted.digest, store::Artifacts::Check::kNothing));
}

void RunDriver::Deliver(const federate::FetchUpdate& wanted, const Result<store::MappedArtifact>& update) {
  if (!machine_) return;
  if (update) {
    Feed(federate::Fetched{wanted.site, wanted.round, wanted.digest, update->View()});
    return;
  }
  const Error error = update.error();
  // Our own disk, and not the site, stood in the way.
  if (error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed) return Halt(error);
  Feed(federate::FetchFailed{wanted.site, wanted.round, error});
}

void RunDriver::CloseRound(const federate::CloseRound& close) {
  courier_.Forget(close.site, close.round.round);
  seals_.ForgetAll(close.site);
  StopFetch(close.site);
  // One that is away finds out when it offers its update again.
  if (const auto peer = members_.WayTo(close.site)) {
    context_.rpc.Call(*peer, api::verb::kFlClose, ToJson(close.round), TaskCourier::kPatience,
                      [](const Result<wire::Envelope>&) {});
  }
}

// Of a run that can be taken up again the key stays on disk.
void RunDriver::EndSeals() {
  seals_.Close();
  const auto status = View().status;
  if (status != api::RunStatus::kFailed && status != api::RunStatus::kCancelled) WipeRunKey(context_.folder, id_);
}

void RunDriver::Wake(std::chrono::milliseconds at) {
  context_.timers.Cancel(wake_);
  wake_ = context_.timers.At(at, [this] {
    wake_ = 0;
    Feed(federate::TimePassed{});
  });
}

void RunDriver::Halt(const Error& error) {
  log::Error("run halted until its state can be written", {{"run", id_}, {"why", error.message}});
  halted_ = error;
  machine_.reset();
  courier_.ForgetAll();
  StopFetches();
  sums_.ForgetAll();
  unmasking_.Stop();
  context_.timers.Cancel(wake_);
  wake_ = 0;
  context_.timers.Cancel(retry_);
  retry_ = context_.timers.At(context_.clock.SteadyNow() + kDiskPause, [this] {
    retry_ = 0;
    Restore();
  });
}

void RunDriver::FailForGood(const Error& error) {
  RunRecord record;
  record.over = true;
  record.run = View();
  record.run->status = api::RunStatus::kFailed;
  record.run->message = error.message;
  record.run->finished_at = context_.clock.WallNow();
  api::RunEvent event;
  event.at = record.run->finished_at;
  event.kind = "run-failed";
  event.message = error.message;
  record.events.push_back(std::move(event));
  log::Error("run cannot be restored", {{"run", id_}, {"why", error.message}});
  auto written = context_.store.Transaction([&]() -> Result<void> {
    OTE_CHECK(WriteEntries(context_, id_, {api::EndOf(*record.run)}));
    return WriteRecord(context_.store, id_, record);
  });
  if (!written) return Halt(written.error());
  seals_.Close();
  WipeRunKey(context_.folder, id_);
  hooks_.advanced(id_);
  hooks_.over(id_);
}

void RunDriver::SiteChanged(const api::Cluster& cluster, bool removed) {
  if (!machine_) return;
  if (removed) {
    courier_.Forget(cluster.name, INT64_MAX);
    Feed(federate::SiteRemoved{cluster.name});
    return;
  }
  Feed(federate::SiteChanged{SiteOf(members_, cluster, dataset_)});
  if (cluster.status == api::ClusterStatus::kReady) courier_.Present(cluster.name);
}

Result<void> RunDriver::Offered(const std::string& site, const parcel::Parcel& parcel) {
  if (!machine_) return Fail(Busy());
  OTE_TRY(const auto opened, seals_.OpenOffer(parcel, site));
  OTE_CHECK(courier_.CheckAnswer(site, opened.head));
  const bool fresh = seals_.Note(site, opened.content);
  auto taken = Answered(site, opened.content.offer, record::DigestOfStatistics(opened.body.at("offer")));
  if (!taken && fresh) seals_.Forget(site, opened.content.offer.digest);
  return taken;
}

Result<void> RunDriver::Carried(const std::string& site, const api::UpdateOffer& offer) {
  if (!machine_) return Fail(Busy());
  return Answered(site, offer, record::DigestOfStatistics(ToJson(offer)));
}

Result<void> RunDriver::Answered(const std::string& site, const api::UpdateOffer& offer,
                                 const std::string& statistics) {
  federate::Offered offered{site, offer};
  if (!offer.failed) {
    const auto task = machine_->TaskOf(site, offer.round);
    if (auto signed_so = CheckStatement(context_, site, offer, task, statistics); !signed_so) {
      offered.wrong = std::move(signed_so).error();
    }
  }
  if (auto refused = Feed(offered)) return Fail(std::move(*refused));
  return {};
}

Result<void> RunDriver::Cancel() {
  if (auto refused = Feed(federate::Cancelled{})) return Fail(std::move(*refused));
  return {};
}

api::Run RunDriver::View() const {
  if (machine_) return machine_->View();
  api::Run run;
  if (auto stored = context_.store.Get<api::Run>(id_); stored && *stored) {
    run = std::move(**stored);
  } else {
    run.id = id_;
  }
  if (halted_ && !run.Over()) {
    run.status = api::RunStatus::kPaused;
    run.message = "the state of this agent cannot be written: " + halted_->message;
  }
  return run;
}

std::set<std::string> RunDriver::Needed() const {
  if (!machine_) return {};
  auto needed = seals_.Needed();
  for (auto& digest : machine_->Needed()) needed.insert(std::move(digest));
  return needed;
}

}  // namespace ote::agent
