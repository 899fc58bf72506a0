// Verbs of AppDesk; what drives the clusters is in app_drive.cpp.
#include "agent/apps/app_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/apps/line_diff.h"
#include "core/base/log.h"
#include "core/tree/selector.h"

namespace ote::agent {

AppDesk::AppDesk(Context& context, Members& members, CommandBus& bus, StateBoard& board, SiteDesk* site, Grants grants)
    : context_(context), members_(members), bus_(bus), board_(board), site_(site), grants_(std::move(grants)) {}

AppDesk::~AppDesk() {
  context_.timers.Cancel(drive_);
  for (const auto& [name, live] : apps_) context_.timers.Cancel(live.wake);
  for (const auto& [id, diffing] : diffs_) context_.timers.Cancel(diffing->timer);
  for (auto& watcher : watchers_) {
    context_.timers.Cancel(watcher.timer);
    watcher.request.Refuse(Error{ErrorId::kUnreachable, "app.watch: the agent stops", {}});
  }
}

Result<void> AppDesk::Start() {
  quiet_until_ = context_.clock.SteadyNow() + 3 * std::chrono::milliseconds(context_.membership.settings.heartbeat_ms);
  OTE_TRY(auto records, context_.store.List<api::App>());
  for (auto& record : records) {
    const auto name = record.name;
    auto& live = apps_[name];
    live.record = std::move(record);
    // Who is there now shows by itself.
    for (auto& [cluster, site] : live.record.rollout.sites) {
      if (site.sent != 0) Allow(live, cluster);
    }
    Soon(name);
  }
  OTE_TRY(auto carried, context_.store.List<CarriedApp>());
  for (auto& row : carried) carried_.insert_or_assign(row.Key(), std::move(row));
  const std::weak_ptr<bool> alive = alive_;
  bus_.OnOutcome([this, alive](const api::CommandOutcome& outcome) {
    if (alive.lock()) TakeOutcome(outcome);
  });
  members_.OnChange([this, alive](const api::Cluster& cluster, bool removed) {
    if (!alive.lock()) return;
    if (removed) ForgetCarried(cluster.name);
    SoonAll();
  });
  board_.OnChange(
      [this, alive](const std::string& cluster, std::string_view kind, const std::string& name, const Json*) {
        if (!alive.lock()) return;
        if (kind == state::kShim) return SoonAll();
        if (kind != state::kApp) return;
        if (Self(cluster)) TellWatchers(name);
        const std::string own = context_.membership.name + "/";
        if (Self(cluster) ? name.find('/') == name.npos : name.starts_with(own)) {
          Soon(Self(cluster) ? name : name.substr(own.size()));
        }
      });
  // What was issued before may not have been: the number makes it the same command.
  std::vector<std::pair<std::string, std::string>> again;
  for (auto& [name, live] : apps_) {
    for (const auto& [cluster, site] : live.record.rollout.sites) {
      if (site.order != 0) again.emplace_back(name, cluster);
    }
  }
  context_.timers.At(context_.clock.SteadyNow(), [this, alive, again] {
    if (!alive.lock()) return;
    for (const auto& [name, cluster] : again) {
      const auto it = apps_.find(name);
      if (it != apps_.end() && it->second.record.rollout.sites.contains(cluster)) Issue(it->second, cluster);
    }
  });

  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::DeployRequest>(
      api::verb::kAppDeploy, kByOperator,
      [this](const Request& request, const auto& body) { return Deploy(request, body); });
  rpc.RegisterCall<api::DeployRequest>(api::verb::kAppPlan, kByOperator,
                                       [this](const Request&, const auto& body) { return Plan(body); });
  rpc.RegisterCall<api::Empty>(api::verb::kAppList, kByOperator,
                               [this](const Request&, const auto&) -> Result<api::AppList> { return List(); });
  rpc.RegisterCall<api::AppShowRequest>(
      api::verb::kAppShow, kByOperator,
      [this](const Request& request, const auto& body) { return Show(body, request.Seen(), request.caller().name); });
  rpc.RegisterCall<api::RollbackRequest>(
      api::verb::kAppRollback, kByOperator,
      [this](const Request& request, const auto& body) { return Rollback(request, body); });
  rpc.RegisterCall<api::AppTarget>(api::verb::kAppRemove, kByOperator,
                                   [this](const Request& request, const auto& body) { return Remove(request, body); });
  rpc.Register(api::verb::kAppRestart, kByOperator, [this](Request request) {
    const auto body = FromWire<api::AppTarget>(request.envelope().body);
    if (!body) return request.Refuse(body.error());
    Restart(std::move(request), *body);
  });
  rpc.Register(api::verb::kAppDiff, kByOperator, [this](Request request) { Diff(std::move(request)); });
  rpc.Register(api::verb::kAppWatch, kByOperator, [this](Request request) { Watch(std::move(request)); });
  return {};
}

std::string AppDesk::ByOf(const Request& request) const {
  const auto& name = request.caller().name;
  return name.empty() ? "an operator at " + context_.membership.name : name;
}

std::set<std::string> AppDesk::Needed() const {
  std::set<std::string> needed;
  for (const auto& [name, live] : apps_) {
    for (const auto& revision : live.record.revisions) {
      for (const auto& file : revision.spec.workload.files) needed.insert(file.digest);
    }
  }
  return needed;
}

Result<std::vector<AppDesk::Place>> AppDesk::PlacesOf(const std::string& name) const {
  std::vector<Place> places;
  if (const auto it = apps_.find(name); it != apps_.end()) {
    for (const auto& [cluster, site] : it->second.record.rollout.sites) {
      if (site.sent == 0) continue;
      places.push_back({cluster, Self(cluster) ? name : context_.membership.name + "/" + name});
    }
    return places;
  }
  if (site_ == nullptr) return Fail(ErrorId::kAppUnknown, fmt::format("app {}: there is none", name), "ote app list");
  OTE_TRY(auto key, site_->KeyOf(name));
  places.push_back({context_.membership.name, std::move(key)});
  return places;
}

AppDesk::Reached AppDesk::ReachOf(const std::string& name) const {
  Reached reached;
  const auto it = apps_.find(name);
  if (it == apps_.end()) {
    if (site_ != nullptr && site_->KeyOf(name)) reached.now = reached.ever = {context_.membership.name};
    return reached;
  }
  const auto& record = it->second.record;
  std::set<std::string> ever;
  for (const auto& [cluster, site] : record.rollout.sites) {
    if (site.phase != api::SitePhase::kLeaving) reached.now.push_back(cluster);
    ever.insert(cluster);
  }
  const auto all = members_.List();
  for (const auto& revision : record.revisions) {
    const auto& placement = revision.spec.placement;
    ever.insert(placement.clusters.begin(), placement.clusters.end());
    const auto selector = tree::Selector::Parse(placement.selector);
    if (placement.selector.empty() || !selector) continue;
    for (const auto& cluster : all) {
      if (selector->Matches(cluster.name, cluster.labels)) ever.insert(cluster.name);
    }
  }
  reached.ever.assign(ever.begin(), ever.end());
  return reached;
}

Result<void> AppDesk::Check(const api::AppSpec& spec) const {
  OTE_CHECK(api::Validate(spec));
  if (spec.placement.Empty()) {
    return Fail(ErrorId::kSelectorEmpty, fmt::format("app {}: it is not said where it goes", spec.name),
                "--selector region=eu, --cluster NAME, or --all");
  }
  if (!spec.rollout.canary.empty()) OTE_CHECK(tree::Selector::Parse(spec.rollout.canary));
  for (const auto& file : spec.workload.files) {
    if (!context_.artifacts.Has(file.digest)) {
      return Fail(ErrorId::kArtifactMissing,
                  fmt::format("app {}: {} ({}) was not put here", spec.name, file.path, file.digest));
    }
  }
  return {};
}

Result<api::AppView> AppDesk::Deploy(const Request& request, const api::DeployRequest& body) {
  if (!body.over.empty()) return DeployOver(request, body);
  OTE_CHECK(Check(body.spec));
  const auto it = apps_.find(body.spec.name);
  const auto digest = api::DigestOf(body.spec);
  if (it != apps_.end() && !body.request_id.empty()) {
    for (const auto& revision : it->second.record.revisions) {
      if (revision.request_id != body.request_id) continue;
      if (revision.digest != digest) {
        return Fail(ErrorId::kConflict,
                    fmt::format("request {}: it was made before, with another app file", body.request_id));
      }
      auto view = ViewOf(it->second, true);
      view.already = true;
      return view;
    }
  }
  if (it != apps_.end() && !it->second.record.removed && it->second.record.Newest().digest == digest &&
      it->second.record.Newest().outcome != api::RevisionOutcome::kStopped) {
    auto view = ViewOf(it->second, true);
    view.already = true;
    return view;
  }
  OTE_TRY(const auto placement, tree::Place(body.spec, Candidates(body.spec.name)));
  if (placement.chosen.empty()) {
    return Fail(ErrorId::kPlacementImpossible,
                fmt::format("app {}: none of {} clusters can have it", body.spec.name, placement.decisions.size()),
                "ote app plan shows for each why not");
  }
  Live fresh;
  fresh.record.name = body.spec.name;
  Live& live = it == apps_.end() ? fresh : it->second;
  OTE_CHECK(Revise(live, body.spec, ByOf(request), body.note, body.request_id, body.spec.rollout));
  if (it == apps_.end()) apps_.emplace(body.spec.name, std::move(fresh));
  Drive(body.spec.name);
  return ViewOf(apps_.at(body.spec.name), true);
}

Result<api::AppView> AppDesk::DeployOver(const Request& request, const api::DeployRequest& body) {
  OTE_CHECK(api::Validate(body.spec));
  if (site_ == nullptr) return Fail(ErrorId::kShimAbsent, "this agent runs no apps itself");
  OTE_TRY(const auto key, site_->KeyOf(body.over));
  for (const auto& file : body.spec.workload.files) {
    if (!context_.artifacts.Has(file.digest)) {
      return Fail(ErrorId::kArtifactMissing, fmt::format("app {}: {} was not put here", body.spec.name, file.path));
    }
  }
  OTE_CHECK(site_->Override(key, body.spec.workload, ByOf(request)));
  return site_->View(key);
}

Result<api::AppPlan> AppDesk::Plan(const api::DeployRequest& body) {
  auto spec = body.spec;
  // By its name alone: as it is deployed.
  const auto it = apps_.find(spec.name);
  if (spec.workload == api::Workload{} && it != apps_.end()) spec = it->second.record.Newest().spec;
  if (spec.workload == api::Workload{}) {
    return Fail(ErrorId::kAppUnknown, fmt::format("app {}: there is none", spec.name), "ote app list");
  }
  OTE_CHECK(api::Validate(spec));
  if (spec.placement.Empty()) {
    return Fail(ErrorId::kSelectorEmpty, fmt::format("app {}: it is not said where it goes", spec.name),
                "--selector region=eu, --cluster NAME, or --all");
  }
  OTE_TRY(auto placement, tree::Place(spec, Candidates(spec.name)));
  api::AppPlan plan;
  plan.app = spec.name;
  plan.wanted = spec.placement.replicas.value_or(0);
  plan.chosen = std::ssize(placement.chosen);
  plan.changes =
      it == apps_.end() || it->second.record.removed || it->second.record.Newest().digest != api::DigestOf(spec);
  plan.items = std::move(placement.decisions);
  // What fits into one answer: those that are chosen, and as many of the others.
  if (plan.items.size() > kMostPlanned) {
    std::stable_sort(plan.items.begin(), plan.items.end(),
                     [](const auto& a, const auto& b) { return a.chosen > b.chosen; });
    plan.omitted = std::ssize(plan.items) - static_cast<std::int64_t>(kMostPlanned);
    plan.items.resize(kMostPlanned);
  }
  return plan;
}

Result<api::AppView> AppDesk::Rollback(const Request& request, const api::RollbackRequest& body) {
  const auto it = apps_.find(body.name);
  if (it == apps_.end() || it->second.record.removed) {
    if (site_ == nullptr || it != apps_.end()) {
      return Fail(ErrorId::kAppUnknown, fmt::format("app {}: there is none", body.name), "ote app list");
    }
    OTE_TRY(const auto key, site_->KeyOf(body.name));
    OTE_CHECK(site_->Rollback(key, body.to, ByOf(request)));
    return site_->View(key);
  }
  auto& live = it->second;
  if (!body.request_id.empty() && live.record.Newest().request_id == body.request_id) {
    auto view = ViewOf(live, true);
    view.already = true;
    return view;
  }
  const api::AppRevision* to = nullptr;
  if (body.to != 0) {
    to = live.record.Find(body.to);
  } else {
    for (const auto& revision : live.record.revisions) {
      const bool other = revision.digest != live.record.Newest().digest;
      if (other && revision.outcome == api::RevisionOutcome::kDone) to = &revision;
    }
  }
  if (to == nullptr) {
    return Fail(ErrorId::kRevisionUnknown,
                body.to == 0 ? fmt::format("app {}: no other revision was healthy", body.name)
                             : fmt::format("app {}: there is no revision {}", body.name, body.to),
                "ote app show " + body.name);
  }
  if (to->digest == live.record.Newest().digest && live.record.Newest().outcome != api::RevisionOutcome::kStopped) {
    auto view = ViewOf(live, true);
    view.already = true;
    return view;
  }
  const auto spec = to->spec;
  const auto number = to->number;
  for (const auto& file : spec.workload.files) {
    if (!context_.artifacts.Has(file.digest)) {
      return Fail(ErrorId::kArtifactMissing,
                  fmt::format("app {}: {} of revision {} is not kept any more", body.name, file.path, number));
    }
  }
  OTE_CHECK(Revise(live, spec, ByOf(request), fmt::format("rollback to {}", number), body.request_id, spec.rollout));
  Drive(body.name);
  return ViewOf(apps_.at(body.name), true);
}

Result<api::AppView> AppDesk::Remove(const Request& request, const api::AppTarget& body) {
  const auto it = apps_.find(body.name);
  if (it == apps_.end()) {
    if (site_ == nullptr) {
      return Fail(ErrorId::kAppUnknown, fmt::format("app {}: there is none", body.name), "ote app list");
    }
    OTE_TRY(const auto key, site_->KeyOf(body.name));
    OTE_CHECK(site_->StopHere(key, ByOf(request)));
    return site_->View(key);
  }
  auto& live = it->second;
  const bool already = live.record.removed;
  if (!already) {
    live.record.removed = true;
    if (auto saved = context_.store.Put(live.record); !saved) {
      live.record.removed = false;
      return Fail(std::move(saved).error());
    }
    log::Info("app removed", {{"app", body.name}, {"by", ByOf(request)}});
  }
  auto view = ViewOf(live, true);
  Drive(body.name);
  if (const auto left = apps_.find(body.name); left != apps_.end()) view = ViewOf(left->second, true);
  view.already = already;
  return view;
}

void AppDesk::Restart(Request request, const api::AppTarget& body) {
  const auto it = apps_.find(body.name);
  if (it == apps_.end()) {
    if (site_ == nullptr) {
      return request.Refuse(
          Error{ErrorId::kAppUnknown, fmt::format("app {}: there is none", body.name), "ote app list"});
    }
    const auto key = site_->KeyOf(body.name);
    if (!key) return request.Refuse(key.error());
    auto waiting = std::make_shared<Request>(std::move(request));
    return site_->Restart(*key,
                          [this, alive = std::weak_ptr<bool>(alive_), waiting, key = *key](const Result<void>& r) {
                            if (!alive.lock()) return;
                            if (!r) return waiting->Refuse(r.error());
                            const auto view = site_->View(key);
                            if (!view) return waiting->Refuse(view.error());
                            waiting->Answer(ToJson(*view));
                          });
  }
  auto& live = it->second;
  const auto sees = request.Seen();
  std::vector<std::string> clusters;
  std::string by_files;
  for (const auto& [cluster, site] : live.record.rollout.sites) {
    if (!members_.Seen(sees, cluster)) continue;
    if (ByHand(cluster)) {  // nothing is told to it but by files, which hold what it is to run
      if (std::find(body.clusters.begin(), body.clusters.end(), cluster) == body.clusters.end()) {
        by_files = cluster;
        continue;
      }
      return request.Refuse(Error{
          ErrorId::kConflict, fmt::format("app {}: {} is reached by files, and restarts it itself", body.name, cluster),
          fmt::format("at {}: ote app restart {}/{}", cluster, context_.membership.name, body.name)});
    }
    const bool asked =
        body.clusters.empty() || std::find(body.clusters.begin(), body.clusters.end(), cluster) != body.clusters.end();
    if (asked && site.sent != 0 && site.phase != api::SitePhase::kLeaving) clusters.push_back(cluster);
  }
  for (const auto& cluster : body.clusters) {
    if (std::find(clusters.begin(), clusters.end(), cluster) == clusters.end()) {
      return request.Refuse(
          Error{ErrorId::kNotFound, fmt::format("app {}: not on {}", body.name, cluster), "ote app show " + body.name});
    }
  }
  if (clusters.empty()) {
    return request.Refuse(
        Error{ErrorId::kConflict,
              by_files.empty()
                  ? fmt::format("app {}: no cluster has it yet", body.name)
                  : fmt::format("app {}: no cluster that has a line has it, and {} does not", body.name, by_files),
              {}});
  }
  CommandBus::Order order;
  order.verb = "app.restart";
  order.body = ToJson(api::AppTarget{body.name, {}, {}});
  order.by = ByOf(request);
  order.ttl = std::chrono::hours(1);
  order.request_id = body.request_id;
  if (auto issued = bus_.Issue(order, clusters); !issued) return request.Refuse(issued.error());
  ++live.record.restarts;
  if (auto saved = context_.store.Put(live.record); !saved)
    log::Error("app not saved", {{"why", saved.error().message}});
  auto view = ViewOf(live, true);
  if (body.clusters.empty()) view.share = ShareOf(live, sees, request.caller().name);
  request.Answer(ToJson(view));
}

void AppDesk::Diff(Request request) {
  auto body = FromWire<api::DeployRequest>(request.envelope().body);
  if (!body) return request.Refuse(body.error());
  if (auto checked = Check(body->spec); !checked) return request.Refuse(checked.error());
  const auto candidates = Candidates(body->spec.name);
  const auto placement = tree::Place(body->spec, candidates);
  if (!placement) return request.Refuse(placement.error());
  const auto text = [](api::AppSpec spec) {
    spec.workload = api::Shown(std::move(spec.workload));
    const std::string manifests = std::exchange(spec.workload.manifests, "");  // a text of lines
    return DumpYaml(ToJson(spec)) + manifests;
  };
  const auto it = apps_.find(body->spec.name);
  auto diffing = std::make_shared<Diffing>(Diffing{std::move(request), {}, {}, 0});
  diffing->diff.app = body->spec.name;
  diffing->diff.spec = LineDiff(it == apps_.end() ? "" : text(it->second.record.Newest().spec), text(body->spec));
  api::Assignment assignment;
  assignment.app = body->spec.name;
  assignment.revision = it == apps_.end() ? 1 : it->second.record.Newest().number + 1;
  assignment.workload = body->spec.workload;
  assignment.digest = api::DigestOf(assignment.workload);
  for (const auto& cluster : placement->chosen) {
    if (!Online(cluster)) {
      diffing->diff.clusters.push_back({cluster, {}, "it is away"});
      continue;
    }
    if (diffing->waits.size() == kMostDiffs) break;
    CommandBus::Order order;
    order.verb = "app.diff";
    order.body = ToJson(assignment);
    order.ttl = kDiffPatience;
    const auto id = bus_.Issue(order, {cluster});
    if (id) {
      diffing->waits[*id] = diffing->diff.clusters.size();
      diffs_[*id] = diffing;
    }
    diffing->diff.clusters.push_back({cluster, {}, id ? "no answer" : id.error().message});
  }
  if (diffing->waits.empty()) return FinishDiff(diffing);
  diffing->timer =
      context_.timers.At(context_.clock.SteadyNow() + kDiffPatience, [this, diffing] { FinishDiff(diffing); });
}

void AppDesk::FinishDiff(const std::shared_ptr<Diffing>& diffing) {
  context_.timers.Cancel(diffing->timer);
  for (const auto& [id, place] : diffing->waits) diffs_.erase(id);
  diffing->waits.clear();
  diffing->request.Answer(ToJson(diffing->diff));
}

}  // namespace ote::agent
