// Those further down: what the children tell of them, and the ways to them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/members.h"
#include "core/base/ids.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::size_t kMostBelow = 1'000'000;
constexpr std::chrono::milliseconds kLabelPatience{20'000};

}  // namespace

std::optional<Destination> Members::WayTo(const std::string& name) const {
  if (const auto peer = PeerOf(name)) return *peer;
  const auto* below = routes_.Find(name);
  if (below == nullptr || !below->known || below->entry.cluster.status != api::ClusterStatus::kReady)
    return std::nullopt;
  const auto hop = PeerOf(below->child);
  if (!hop) return std::nullopt;
  return Route{*hop, name};
}

std::string Members::ChildTowards(const std::string& name) const {
  if (live_.contains(name)) return name;
  const auto* below = routes_.Find(name);
  if (below != nullptr) return below->child;
  return clusters_.contains(name) ? name : "";
}

bool Members::IsOthers(const std::string& name) const {
  const auto guest = ChildTowards(name);
  if (!visiting_.contains(guest)) return false;
  const auto record = clusters_.find(guest);
  return record != clusters_.end() && !Find(record->second.parent);
}

bool Members::IsBelow(const std::string& child, const std::string& name) const {
  if (child == name) return true;
  if (const auto* below = routes_.Find(name)) return below->child == child;
  // One that has joined through it this moment, of which the routes do not tell yet.
  const auto it = clusters_.find(name);
  return it != clusters_.end() && it->second.parent == child && !live_.contains(name);
}

Result<void> Members::CheckHomeBelow(const std::string& name, const std::string& relay) const {
  auto at = clusters_.find(name);
  // As many steps as there are clusters, at most: the parents that tiers tell of may go round.
  for (std::size_t step = 0; step <= clusters_.size() && at != clusters_.end(); ++step) {
    if (at->second.parent == relay) return {};
    at = clusters_.find(at->second.parent);
  }
  return Fail(ErrorId::kPermission, fmt::format("cluster {}: it did not join below {}", name, relay));
}

api::Cluster Members::AsOfNow(const api::Cluster& cluster) const {
  auto now = cluster;
  if (const auto it = cordons_.find(cluster.name); it != cordons_.end()) {
    now.cordoned = now.cordoned || it->second.cordoned;
    now.drained = now.drained || it->second.drained;
  }
  if (const auto live = live_.find(cluster.name); live != live_.end() && live->second.ready) {
    now.via = context_.membership.name;
    return now;
  }
  const auto* below = routes_.Find(cluster.name);
  if (below == nullptr) {
    if (now.status == api::ClusterStatus::kReady) now.status = api::ClusterStatus::kUnreachable;
    return now;
  }
  now.via = below->entry.cluster.via;
  now.status = below->known ? below->entry.cluster.status : api::ClusterStatus::kUnknown;
  return now;
}

void Members::Changed(const std::string& name) {
  if (const auto cluster = Find(name)) return Changed(*cluster);
  // Gone from below; it may be elsewhere in the tree.
  api::Cluster gone;
  gone.name = name;
  gone.status = api::ClusterStatus::kUnreachable;
  Changed(gone);
}

void Members::Tell(const tree::Routes::Effect& effect) {
  std::map<std::string, std::vector<api::Session>> stale;
  for (const auto& [child, session] : effect.stale) stale[child].push_back(session);
  if (tree_.stale) {
    for (const auto& [child, sessions] : stale) tree_.stale(child, sessions);
  }
  for (const auto& name : effect.changed) Changed(name);
}

bool Members::Believed(const std::string& child, api::RouteEntry& entry, std::vector<api::Session>& stale,
                       std::set<std::string>& unsaved) {
  auto& told = entry.cluster;
  const auto& self = context_.membership.name;
  if (!CheckName("cluster", told.name) || told.name == self || told.name == child) return false;
  const bool is_root = context_.membership.role == crypto::Role::kRoot;
  const auto record = clusters_.find(told.name);
  // A root knows all that there are.
  if (is_root && record == clusters_.end()) return false;
  if (routes_.All().size() >= kMostBelow && routes_.Find(told.name) == nullptr) return false;
  if (const auto live = live_.find(told.name); live != live_.end() && live->second.ready) {
    if (told.status != api::ClusterStatus::kReady) return false;
    if (live->second.epoch >= entry.epoch) {
      stale.push_back({told.name, entry.epoch});
      return false;
    }
    Leave(told.name);
  }
  if (!is_root) {
    told.trust.reset();
    return true;
  }
  // What the root keeps itself is not kept twice.
  auto& kept = record->second;
  const bool ready = told.status == api::ClusterStatus::kReady;
  const bool news =
      ready && (kept.labels != told.labels || kept.version != told.version ||
                kept.datasets.size() != told.datasets.size() || ToJson(kept.datasets) != ToJson(told.datasets));
  kept.listens = told.listens;
  kept.last_seen = std::max(kept.last_seen, told.last_seen);
  if (kept.status == api::ClusterStatus::kJoined && ready) kept.status = api::ClusterStatus::kUnreachable;
  if (news) {
    kept.labels = told.labels;
    kept.version = told.version;
    kept.platform = told.platform;
    kept.datasets = told.datasets;
    unsaved.insert(kept.name);
  }
  api::Cluster brief;
  brief.name = told.name;
  brief.status = told.status;
  brief.parent = told.parent;
  brief.via = told.via;
  told = std::move(brief);
  return true;
}

Result<api::Empty> Members::TakeRoutes(const Request& request, const api::RouteChange& change) {
  const auto child = request.caller().name;
  const auto live = live_.find(child);
  if (live == live_.end() || Destination(live->second.peer) != request.from())
    return Fail(ErrorId::kConflict, "tree.routes: say member.hello first");
  api::RouteChange believed{change.whole, change.more, {}, change.gone};
  tree::Routes::Effect effect;
  std::vector<api::Session> stale;
  std::set<std::string> unsaved;
  for (auto entry : change.set) {
    if (Believed(child, entry, stale, unsaved)) believed.set.push_back(std::move(entry));
  }
  // In one write for all.
  const auto saved = unsaved.empty() ? Result<void>() : context_.store.Transaction([&]() -> Result<void> {
    for (const auto& name : unsaved) {
      if (const auto it = clusters_.find(name); it != clusters_.end()) OTE_CHECK(Save(it->second));
    }
    return {};
  });
  if (!saved) log::Error("state not saved", {{"why", saved.error().message}});
  effect = routes_.Apply(child, believed);
  for (auto& session : stale) effect.stale.emplace_back(child, std::move(session));
  Tell(effect);
  return api::Empty{};
}

std::optional<api::RouteEntry> Members::EntryOf(const std::string& name) const {
  api::RouteEntry entry;
  if (const auto it = clusters_.find(name); it != clusters_.end()) {
    const auto live = live_.find(name);
    const bool here = live != live_.end() && live->second.ready;
    if (here || routes_.Find(name) == nullptr) {
      entry.cluster = AsOfNow(it->second);
      entry.cluster.trust.reset();
      entry.cluster.via = context_.membership.name;
      if (live != live_.end()) {
        entry.epoch = live->second.epoch;
        entry.endpoints = live->second.endpoints;
      }
      return entry;
    }
  }
  const auto* below = routes_.Find(name);
  if (below == nullptr) return std::nullopt;
  entry = below->entry;
  const auto now = AsOfNow(entry.cluster);
  entry.cluster.cordoned = now.cordoned;
  entry.cluster.drained = now.drained;
  entry.cluster.certificate.reset();  // for the tier above the one that it hangs on, and no further
  entry.cluster.status = below->known ? entry.cluster.status : api::ClusterStatus::kUnknown;
  return entry;
}

std::vector<api::ParentEntry> Members::Takers() const {
  std::vector<api::ParentEntry> takers;
  for (const auto& [name, live] : live_) {
    if (live.endpoints.empty() || visiting_.contains(name)) continue;
    const auto* certificate = CertificateOf(name);
    if (certificate == nullptr) continue;
    const auto body = FromCbor<crypto::CertificateBody>(certificate->body);
    if (body) takers.push_back({name, live.endpoints, body->transport_key, 0});
  }
  return takers;
}

void Members::SetGuests(std::string_view source, const std::vector<crypto::Certificate>& certificates) {
  auto& of = guests_[std::string(source)];
  of.clear();
  for (const auto& certificate : certificates) {
    if (const auto body = FromCbor<crypto::CertificateBody>(certificate.body)) of[body->name] = certificate;
  }
  guest_keys_.clear();
  for (const auto& [from, all] : guests_) {
    for (const auto& [name, certificate] : all) {
      const auto body = FromCbor<crypto::CertificateBody>(certificate.body);
      if (body && name != context_.membership.name)
        guest_keys_.insert_or_assign(body->transport_key, Holder{name, body->serial, body->not_after});
    }
  }
}

void Members::Leave(const std::string& name) {
  const auto it = clusters_.find(name);
  if (it == clusters_.end()) return;
  if (const auto live = live_.find(name); live != live_.end()) {
    context_.rpc.PeerLost(live->second.peer);
    live_.erase(live);
  }
  const auto effect = routes_.Lose(name);
  if (visiting_.erase(name) > 0) {
    // Where it is now its parent knows.
    clusters_.erase(it);
    Tell(routes_.Forget(name));
  } else {
    it->second.status = it->second.by_hand ? api::ClusterStatus::kByHand : api::ClusterStatus::kUnreachable;
    if (auto saved = Save(it->second); !saved) log::Error("state not saved", {{"why", saved.error().message}});
  }
  Changed(name);
  Tell(effect);
}

void Members::Outdated(const api::Session& session) {
  if (const auto live = live_.find(session.name); live != live_.end()) {
    if (live->second.epoch > session.epoch) return;
    log::Info("a later connection elsewhere took its place", {{"cluster", session.name}});
    const auto cluster = clusters_.find(session.name);
    const auto serial = cluster == clusters_.end() ? BigId{} : cluster->second.serial;
    Leave(session.name);
    Tell(routes_.Forget(session.name));
    context_.transport.Evict(wire::Caller{wire::CallerKind::kMember, session.name, serial, false});
    return;
  }
  const auto* below = routes_.Find(session.name);
  if (below == nullptr || below->entry.epoch > session.epoch) return;
  if (tree_.stale) tree_.stale(below->child, {session});
  Tell(routes_.Drop(session.name));
}

Result<void> Members::DropVoid(const std::vector<BigId>& serials) {
  std::vector<std::string> gone;
  for (const auto& [name, cluster] : clusters_) {
    if (std::ranges::binary_search(serials, cluster.serial)) gone.push_back(name);
  }
  for (const auto& name : gone) OTE_CHECK(Drop(name));
  for (auto& [source, all] : guests_) {
    std::erase_if(all, [&](const auto& guest) {
      const auto body = FromCbor<crypto::CertificateBody>(guest.second.body);
      return !body || std::ranges::binary_search(serials, body->serial);
    });
  }
  std::erase_if(guest_keys_,
                [&](const auto& entry) { return std::ranges::binary_search(serials, entry.second.serial); });
  return {};
}

// The labels of a cluster are its own parent's to change, which tells everybody above.
void Members::LabelAsked(Request request) {
  const auto asked = FromWire<api::LabelRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto cluster = Find(asked->name);
  const auto& self = context_.membership.name;
  if (!cluster || cluster->parent == self || cluster->parent.empty()) {
    auto done = Label(*asked);
    return done ? request.Answer(ToJson(*done)) : request.Refuse(done.error());
  }
  const auto way = WayTo(cluster->parent);
  if (!way) {
    return request.Refuse(Error{
        ErrorId::kNoRoute,
        fmt::format("cluster {}: its labels are kept by {}, which is not reached now", asked->name, cluster->parent),
        "ote cluster tree"});
  }
  auto waiting = std::make_shared<Request>(std::move(request));
  context_.rpc.Call(*way, api::verb::kClusterLabel, ToJson(*asked), kLabelPatience,
                    [waiting](const Result<wire::Envelope>& answer) {
                      if (!answer) return waiting->Refuse(answer.error());
                      waiting->Answer(answer->body);
                    });
}

}  // namespace ote::agent
