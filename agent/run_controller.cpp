#include "agent/run_controller.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "agent/record_keeper.h"
#include "agent/run_records.h"
#include "agent/sealing/run_keys.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/federate/plan.h"
#include "core/federate/privacy/cost.h"
#include "core/federate/trips.h"
#include "core/record/statement.h"
#include "core/site/mask_identity.h"
#include "core/site/model_registry.h"

namespace ote::agent {
namespace {

// The spec as it was asked for: a name that was made here is not part of it.
api::RunSpec Asked(const api::Run& run) {
  auto spec = run.spec;
  if (spec.name == run.id) spec.name.clear();
  return spec;
}

// "; relays: fold (clinic-a refuses it and is carried)", "; relays: fold, masked updates of which they read none"
std::string RelaysText(const api::RunSpec& spec, const std::vector<federate::Site>& sites) {
  auto text = fmt::format("; relays: {}", NameOf(spec.relays));
  const bool masks = spec.masks.kind != api::MaskKind::kNone;
  if (spec.relays == api::RelayKind::kFold && masks) text += ", masked updates of which they read none";
  std::vector<std::string> refuse;
  for (const auto* site : federate::Eligible(spec, sites)) {
    if (site->dataset->fold == api::FoldPolicy::kRefuse) refuse.push_back(site->name);
  }
  if (spec.relays != api::RelayKind::kFold || refuse.empty()) return text;
  return text + fmt::format(" ({} {})", fmt::join(refuse, ", "),
                            refuse.size() == 1 ? "refuses it and is carried" : "refuse it and are carried");
}

}  // namespace

RunController::RunController(Context& context, Members& members, const Uplink& uplink, Transfer& transfer,
                             Openings& openings)
    : context_(context),
      members_(members),
      uplink_(uplink),
      transfer_(transfer),
      openings_(openings),
      watchers_(context,
                [this](const std::string& id) -> std::optional<api::Run> {
                  auto run = Find(id);
                  if (!run) return std::nullopt;
                  return std::move(*run);
                }),
      worker_(context.post) {}

RunController::~RunController() { context_.timers.Cancel(burial_); }

Result<void> RunController::Start() {
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::StartRequest>(api::verb::kFlStart, kByOperator,
                                      [this](const Request&, const auto& body) { return StartRun(body); });
  rpc.RegisterCall<api::Empty>(api::verb::kFlList, kByOperator, [this](const Request&, const auto&) { return List(); });
  rpc.RegisterCall<api::NameRequest>(api::verb::kFlShow, kByOperator,
                                     [this](const Request&, const auto& body) -> Result<api::Run> {
                                       OTE_TRY(auto run, Find(body.name));
                                       return FitForAnswer(std::move(run));
                                     });
  rpc.RegisterCall<api::NameRequest>(api::verb::kFlCancel, kByOperator,
                                     [this](const Request&, const auto& body) { return Cancel(body); });
  rpc.RegisterCall<api::NameRequest>(api::verb::kFlResume, kByOperator,
                                     [this](const Request&, const auto& body) { return Resume(body); });
  rpc.RegisterCall<api::RunRemoveRequest>(api::verb::kFlRemove, kByOperator,
                                          [this](const Request&, const auto& body) { return Remove(body); });
  rpc.Register(api::verb::kFlRecord, kByOperator, [this](Request request) { Record(std::move(request)); });
  rpc.Register(api::verb::kFlWatch, kByOperator, [this](Request request) { Watch(std::move(request)); });
  rpc.RegisterCall<parcel::Parcel>(api::verb::kFlOffer, kByMember,
                                   [this](const Request& request, const auto& body) { return Offer(request, body); });
  members_.OnChange([this](const api::Cluster& cluster, bool removed) {
    if (removed) transfer_.RevokeAll(cluster.name);
    // By id, since a run may end on the way.
    std::vector<std::string> ids;
    for (const auto& [id, driver] : drivers_) ids.push_back(id);
    for (const auto& id : ids) {
      if (const auto it = drivers_.find(id); it != drivers_.end()) it->second->SiteChanged(cluster, removed);
    }
  });

  OTE_TRY(const auto runs, context_.store.List<api::Run>());
  for (const auto& run : runs) known_.push_back({run.id, run.spec.name, run.request_id, run.created_at});
  std::ranges::stable_sort(known_, {}, &Known::created_at);
  for (const auto& run : runs) {
    if (run.Over()) continue;
    auto driver = std::make_unique<RunDriver>(context_, members_, transfer_, openings_, worker_, HooksOf(), run.id);
    auto* restored = drivers_.emplace(run.id, std::move(driver)).first->second.get();
    restored->Restore();
    log::Info("run taken up again", {{"run", run.id}});
  }
  // A crash came between the end of a run and that of its key.
  OTE_TRY(const auto states, context_.store.List<RunState>());
  std::set<std::string> going;
  for (const auto& state : states) going.insert(state.id);
  WipeRunKeysExcept(context_.folder, going);
  return {};
}

RunDriver::Hooks RunController::HooksOf() {
  return {[this](const std::string& id) { watchers_.Advanced(id); }, [this](const std::string& id) { Ended(id); },
          [this](const std::string& digest, const std::string& run) { return NeededElsewhere(digest, run); },
          [this](const std::string& site, const api::Task& task) {
            if (asked_) asked_(site, task);
          }};
}

void RunController::Ended(const std::string& id) {
  auto node = drivers_.extract(id);
  if (node.empty()) return;
  ended_.push_back(std::move(node.mapped()));
  watchers_.Advanced(id);
  ForgetOldStates();
  if (burial_ != 0) return;
  burial_ = context_.timers.At(context_.clock.SteadyNow(), [this] {
    burial_ = 0;
    ended_.clear();
  });
}

bool RunController::NeededElsewhere(const std::string& digest, const std::string& run) const {
  if (KeptForRecord(context_.store, digest)) return true;
  for (const auto& [id, driver] : drivers_) {
    if (id != run && (driver->Halted() || driver->Needed().contains(digest))) return true;
  }
  const auto states = context_.store.List<RunState>();
  if (!states) return true;
  for (const auto& state : *states) {
    const bool active = drivers_.contains(state.id);
    if (!active && state.id != run && std::ranges::count(state.needed, digest) > 0) return true;
  }
  const auto models = context_.store.List<api::ModelEntry>();
  // When in doubt it is kept; what nobody needs goes when the agent starts.
  return !models || std::ranges::any_of(*models, [&](const auto& model) { return model.digest == digest; });
}

Result<std::set<std::string>> RunController::Needed() const {
  std::set<std::string> needed;
  for (const auto& [id, driver] : drivers_) {
    if (driver->Halted()) return Fail(ErrorId::kBusy, fmt::format("run {}: its state cannot be read now", id));
    needed.merge(driver->Needed());
  }
  OTE_TRY(const auto states, context_.store.List<RunState>());
  for (const auto& state : states) needed.insert(state.needed.begin(), state.needed.end());
  OTE_TRY(const auto models, context_.store.List<api::ModelEntry>());
  for (const auto& model : models) needed.insert(model.digest);
  OTE_TRY(auto kept, AllKeptForRecords(context_.store));
  needed.merge(kept);
  return needed;
}

Result<std::optional<api::Run>> RunController::SameRequest(const api::StartRequest& request) const {
  if (request.request_id.empty()) return std::nullopt;
  const auto it = std::ranges::find(known_, request.request_id, &Known::request_id);
  if (it == known_.end()) return std::nullopt;
  OTE_TRY(auto run, Find(it->id));
  auto spec = request.spec;
  // As it was then; a model that has gone since cannot be what this request means anew.
  if (auto resolved = ResolveStart(spec); !resolved) spec = request.spec;
  if (Asked(run) == spec) return run;
  return Fail(ErrorId::kConflict,
              fmt::format("request {}: it started run {} with other settings", request.request_id, run.id),
              fmt::format("ote fl show {}", run.id));
}

Result<api::Run> RunController::StartRun(const api::StartRequest& request) {
  if (context_.membership.parent) {
    return Fail(ErrorId::kUnsupported,
                fmt::format("{} is not the root of its tree, where runs begin", context_.membership.name),
                "ask at " + uplink_.RootName());
  }
  OTE_TRY(auto before, SameRequest(request));
  if (before) return FitForAnswer(std::move(*before));
  OTE_CHECK(federate::CheckPlan(request.spec));
  auto spec = request.spec;
  OTE_CHECK(ResolveStart(spec));
  if (!spec.name.empty()) {
    OTE_CHECK(CheckName("run", spec.name));
    const auto taken =
        std::ranges::find_if(known_, [&](const auto& run) { return run.name == spec.name || run.id == spec.name; });
    if (taken != known_.end()) {
      return Fail(ErrorId::kConflict, fmt::format("run {}: there is one of this name already", spec.name),
                  fmt::format("ote fl show {}", spec.name));
    }
  }
  if (request.dry_run) return DryRun(spec);
  const auto id = NewId("run");
  if (spec.name.empty()) spec.name = id;
  auto driver = std::make_unique<RunDriver>(context_, members_, transfer_, openings_, worker_, HooksOf(), id);
  auto* started = drivers_.emplace(id, std::move(driver)).first->second.get();
  known_.push_back({id, spec.name, request.request_id, context_.clock.WallNow()});
  if (auto done = started->Start(spec, request.request_id); !done) {
    drivers_.erase(id);
    known_.pop_back();
    return Fail(done.error());
  }
  log::Info("run started", {{"run", id}, {"dataset", spec.dataset}, {"rounds", spec.rounds}});
  OTE_TRY(auto run, Find(id));
  return FitForAnswer(std::move(run));
}

Result<api::Run> RunController::DryRun(const api::RunSpec& spec) const {
  const auto sites = SitesOf(members_, spec.dataset);
  federate::Outcome outcome;
  const federate::Now now{context_.clock.WallNow(), context_.clock.SteadyNow()};
  OTE_TRY(const auto from, StartOf(context_, spec));
  federate::Limits limits;
  limits.members = site::KnownMembers(context_.membership);
  OTE_TRY(const auto machine,
          federate::RunMachine::Start("dry-run", spec, {}, sites, limits, ArtifactsOf(context_.artifacts), now,
                                      &outcome, from ? &*from : nullptr));
  auto run = machine.View();
  std::vector<std::string> there;
  std::vector<std::string> away;
  for (const auto* site : federate::Eligible(spec, sites)) (site->reachable ? there : away).push_back(site->name);
  run.id.clear();
  run.status = api::RunStatus::kPending;
  const auto all = static_cast<std::int64_t>(there.size() + away.size());
  run.message = fmt::format("would take part: {}{}{}", fmt::join(there, ", "),
                            away.empty() ? "" : "; not reachable now: ", fmt::join(away, ", "));
  std::vector<std::string> carried;
  for (const auto* site : federate::Eligible(spec, sites)) {
    if (site->by_hand) carried.push_back(site->name);
  }
  if (!carried.empty()) {
    const auto rounds = run.planned_rounds > 0 ? run.planned_rounds : spec.rounds;
    run.message += fmt::format("; by hand: {}, at most {} trips each way", fmt::join(carried, ", "),
                               federate::TripsOfRun(spec, rounds));
  }
  run.message += RelaysText(spec, sites);
  if (run.model.parameters > 0) {
    const auto update = federate::DescribeUpdate(spec, run.model.parameters);
    if (!update.empty()) run.message += "; " + update;
  }
  if (federate::MakeStrategy(spec.strategy)->NeedsAll() && run.model.parameters > 0) {
    run.message += "; " + federate::DescribeMemory(spec, all, run.model.parameters);
  }
  if (run.privacy) {
    const auto& cost = *run.privacy;
    run.message += fmt::format("; the whole run costs {}", federate::EpsilonText(cost.planned_epsilon, cost.delta));
    if (cost.site_epsilon > cost.planned_epsilon) {
      run.message += fmt::format(", and {} in the ledger of a site that is drawn for every round",
                                 federate::EpsilonText(cost.site_epsilon, cost.delta));
    }
  }
  return run;
}

RunDriver* RunController::DriverOf(const std::string& id) const {
  const auto it = drivers_.find(id);
  return it == drivers_.end() ? nullptr : it->second.get();
}

tl::unexpected<Error> RunController::Unknown(const std::string& name) const {
  if (!context_.membership.parent) {
    return Fail(ErrorId::kRunUnknown, fmt::format("run {}: no run here has this id or name", name), "ote fl list");
  }
  return Fail(ErrorId::kRunUnknown, fmt::format("run {}: runs are kept at the root of the tree", name),
              "ask at " + uplink_.RootName());
}

Result<std::string> RunController::IdOf(const std::string& name) const {
  auto it = std::ranges::find(known_, name, &Known::id);
  if (it == known_.end()) it = std::ranges::find(known_, name, &Known::name);
  if (it == known_.end()) return Unknown(name);
  return it->id;
}

Result<api::Run> RunController::Find(const std::string& name) const {
  OTE_TRY(const auto id, IdOf(name));
  if (const auto it = drivers_.find(id); it != drivers_.end()) return it->second->View();
  OTE_TRY(auto stored, context_.store.Get<api::Run>(id));
  if (!stored) return Unknown(name);
  return std::move(*stored);
}

Result<api::RunList> RunController::List() const {
  api::RunList list;
  // A plain loop: clang 14 cannot read GCC 12's views.
  for (auto run = known_.rbegin(); run != known_.rend() && list.items.size() < kMostListed; ++run) {
    OTE_TRY(auto shown, Find(run->id));
    shown.rounds.clear();
    list.items.push_back(std::move(shown));
  }
  return list;
}

Result<api::Run> RunController::Cancel(const api::NameRequest& request) {
  OTE_TRY(const auto id, IdOf(request.name));
  if (const auto it = drivers_.find(id); it != drivers_.end()) {
    OTE_CHECK(it->second->Cancel());
    log::Info("run cancelled", {{"run", id}});
  }
  OTE_TRY(auto run, Find(id));
  if (run.Over() && run.status != api::RunStatus::kCancelled) {
    return Fail(ErrorId::kConflict, fmt::format("run {}: it has ended already ({})", request.name, NameOf(run.status)),
                fmt::format("ote fl show {}", request.name));
  }
  return FitForAnswer(std::move(run));
}

Result<api::Run> RunController::Resume(const api::NameRequest& request) {
  OTE_TRY(const auto id, IdOf(request.name));
  if (!drivers_.contains(id)) {
    OTE_TRY(const auto ended, Find(id));
    if (ended.status == api::RunStatus::kFinished) return FitForAnswer(ended);
    OTE_TRY(const auto state, context_.store.Get<RunState>(id));
    if (!state) {
      return Fail(ErrorId::kRunInvalid,
                  fmt::format("run {}: what it could be taken up from is no longer there", request.name),
                  fmt::format("start a new one with its settings: ote fl show {} -o json", request.name));
    }
    auto driver = std::make_unique<RunDriver>(context_, members_, transfer_, openings_, worker_, HooksOf(), id);
    auto* resumed = drivers_.emplace(id, std::move(driver)).first->second.get();
    if (auto done = resumed->Resume(); !done) {
      drivers_.erase(id);
      return Fail(done.error());
    }
    log::Info("run resumed", {{"run", id}});
  }
  OTE_TRY(auto run, Find(id));
  return FitForAnswer(std::move(run));
}

Result<void> RunController::ResolveStart(api::RunSpec& spec) const {
  if (spec.from.empty()) return {};
  OTE_TRY(const auto model, site::ModelRegistry(context_.store).Find(spec.from));
  spec.from = model.digest;
  return {};
}

void RunController::ForgetOldStates() {
  const auto states = context_.store.List<RunState>();
  if (!states) return;
  std::vector<std::string> ended;  // oldest first
  for (const auto& known : known_) {
    const bool there = std::ranges::find(*states, known.id, &RunState::id) != states->end();
    if (there && !drivers_.contains(known.id)) ended.push_back(known.id);
  }
  // Their artifacts go when the agent starts next.
  for (std::size_t i = 0; i + kMostResumable < ended.size(); ++i) {
    WipeRunKey(context_.folder, ended[i]);
    if (auto done = context_.store.Remove<RunState>(ended[i]); !done) {
      log::Warn("old state not removed", {{"run", ended[i]}, {"why", done.error().message}});
    }
  }
}

Result<api::Empty> RunController::Offer(const Request& request, const parcel::Parcel& offer) {
  OTE_TRY(const auto head, parcel::ReadHead(offer));
  const auto it = drivers_.find(head.run);
  if (it == drivers_.end()) {
    if (std::ranges::find(known_, head.run, &Known::id) == known_.end()) return Unknown(head.run);
    return Fail(ErrorId::kRoundStale, fmt::format("run {}: it has ended", head.run));
  }
  auto taken = it->second->Offered(request.caller().name, offer);
  if (!taken) {
    log::Debug("offer refused", {{"cluster", request.caller().name}, {"why", taken.error().message}});
    return Fail(std::move(taken).error());
  }
  return api::Empty{};
}

void RunController::Watch(Request request) {
  const auto body = FromWire<api::WatchRequest>(request.envelope().body);
  if (!body) return request.Refuse(body.error());
  const auto id = IdOf(body->name);
  if (!id) return request.Refuse(id.error());
  watchers_.Add(std::move(request), *id, body->after, body->follow);
}

void RunController::Record(Request request) {
  const auto body = FromWire<api::RecordRequest>(request.envelope().body);
  if (!body) return request.Refuse(body.error());
  const auto id = IdOf(body->name);
  if (!id) return request.Refuse(id.error());
  ServeRecord(context_, request, *id, *body);
}

}  // namespace ote::agent
