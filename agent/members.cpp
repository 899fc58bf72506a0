#include "agent/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "agent/authority.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

// How long a member may be silent, in quarters of a heartbeat: it is shown as lost before the third one is due.
constexpr int kSilentQuarters = 11;

// Of its certificates. What is in the store was checked when it was issued.
std::vector<crypto::CertificateBody> BodiesOf(const api::Cluster& cluster) {
  std::vector<crypto::CertificateBody> bodies;
  const auto add = [&](const std::optional<crypto::Certificate>& certificate) {
    if (!certificate) return;
    if (auto body = FromCbor<crypto::CertificateBody>(certificate->body)) bodies.push_back(std::move(*body));
  };
  add(cluster.certificate);
  if (cluster.trust) add(cluster.trust->next);
  return bodies;
}

// What one is that has no link now.
api::ClusterStatus Away(const api::Cluster& cluster) {
  return cluster.by_hand ? api::ClusterStatus::kByHand : api::ClusterStatus::kUnreachable;
}

}  // namespace

Members::Members(Context& context) : context_(context) {}

Result<void> Members::Start() {
  OTE_TRY(const auto clusters, context_.store.List<api::Cluster>());
  for (auto cluster : clusters) {
    // Who is there now shows by itself, with the first heartbeat.
    const bool was_there =
        cluster.status == api::ClusterStatus::kReady || cluster.status == api::ClusterStatus::kUnknown;
    if (was_there) cluster.status = Away(cluster);
    Index(cluster);
    clusters_.emplace(cluster.name, std::move(cluster));
  }
  OTE_CHECK(LoadCordons());
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::MemberHello>(api::verb::kMemberHello, kByMember,
                                     [this](const Request& request, const auto& body) { return Hello(request, body); });
  rpc.RegisterCall<api::TrustHeld>(
      api::verb::kMemberHeartbeat, kByMember,
      [this](const Request& request, const auto& held) { return Heartbeat(request, held); });
  rpc.RegisterCall<api::DatasetList>(
      api::verb::kMemberDatasets, kByMember,
      [this](const Request& request, const auto& body) { return TakeDatasets(request, body); });
  rpc.RegisterCall<api::RouteChange>(
      api::verb::kTreeRoutes, kByMember,
      [this](const Request& request, const auto& change) { return TakeRoutes(request, change); });
  rpc.RegisterCall<api::PageQuery>(api::verb::kClusterList, kByOperator,
                                   [this](const Request& request, const auto& query) -> Result<api::ClusterPage> {
                                     return PageOf(query, request.Seen());
                                   });
  rpc.Register(api::verb::kClusterLabel, kByOperator | kByParent,
               [this](Request request) { LabelAsked(std::move(request)); });
  // A relay asks for what is below it.
  rpc.RegisterCall<api::NameRequest>(
      api::verb::kClusterRemove, kByOperator | kByMember,
      [this](const Request& request, const auto& body) -> Result<api::Cluster> {
        if (request.who() != kByMember) return Remove(body);
        OTE_CHECK(CheckHomeBelow(body.name, request.caller().name));
        log::Info("a relay asks for a removal", {{"relay", request.caller().name}, {"cluster", body.name}});
        return Remove(body);
      });
  rpc.RegisterCall<api::CordonRequest>(api::verb::kClusterCordon, kByOperator,
                                       [this](const Request&, const auto& body) { return Cordon(body); });
  Sweep();
  return {};
}

std::optional<api::Cluster> Members::Find(const std::string& name) const {
  if (const auto it = clusters_.find(name); it != clusters_.end()) return AsOfNow(it->second);
  if (const auto* below = routes_.Find(name)) return AsOfNow(below->entry.cluster);
  return std::nullopt;
}

const Members::Holder* Members::HolderOf(const Bytes& transport_key) const {
  if (const auto it = by_key_.find(transport_key); it != by_key_.end()) return &it->second;
  const auto guest = guest_keys_.find(transport_key);
  return guest == guest_keys_.end() ? nullptr : &guest->second;
}

const crypto::Certificate* Members::CertificateOf(const std::string& name) const {
  const auto of = [](const std::optional<crypto::Certificate>& certificate) {
    return certificate ? &*certificate : nullptr;
  };
  if (const auto it = clusters_.find(name); it != clusters_.end()) return of(it->second.certificate);
  const auto* below = routes_.Find(name);
  return below == nullptr ? nullptr : of(below->entry.cluster.certificate);
}

void Members::Index(const api::Cluster& cluster) {
  if (const auto before = clusters_.find(cluster.name); before != clusters_.end()) Unindex(before->second);
  for (const auto& body : BodiesOf(cluster))
    by_key_.insert_or_assign(body.transport_key, Holder{cluster.name, body.serial, body.not_after});
}

void Members::Unindex(const api::Cluster& cluster) {
  for (const auto& body : BodiesOf(cluster)) {
    const auto it = by_key_.find(body.transport_key);
    if (it != by_key_.end() && it->second.name == cluster.name) by_key_.erase(it);
  }
}

std::optional<wire::PeerId> Members::PeerOf(const std::string& name) const {
  const auto it = live_.find(name);
  if (it == live_.end() || !it->second.ready) return std::nullopt;
  return it->second.peer;
}

bool Members::Ready(const std::string& name) const { return PeerOf(name).has_value(); }

Result<void> Members::Save(const api::Cluster& cluster) {
  if (visiting_.contains(cluster.name)) return {};
  return context_.store.Put(cluster);
}

Result<void> Members::Keep(const api::Cluster& cluster) {
  OTE_CHECK(Save(cluster));
  Index(cluster);
  clusters_.insert_or_assign(cluster.name, cluster);
  return {};
}

Result<void> Members::Admit(const api::Cluster& cluster) {
  OTE_CHECK(Keep(cluster));
  Changed(cluster);
  return {};
}

void Members::Changed(const api::Cluster& cluster, bool removed) {
  for (const auto& listener : listeners_) listener(cluster, removed);
}

bool Members::Ended(const api::Cluster& cluster) {
  if (context_.clock.WallNow() <= cluster.expires_at) return false;
  log::Warn("cut off: its certificate has ended", {{"cluster", cluster.name}});
  context_.transport.Evict(wire::Caller{wire::CallerKind::kMember, cluster.name, cluster.serial, false});
  return true;
}

bool Members::Heard(wire::PeerId peer, const wire::Caller& caller) {
  if (caller.kind != wire::CallerKind::kMember) return true;
  const auto cluster = clusters_.find(caller.name);
  if (cluster == clusters_.end()) {
    // Guests have no record before they say hello.
    const bool guest = std::ranges::any_of(guests_, [&](const auto& of) { return of.second.contains(caller.name); });
    if (!guest) context_.transport.Evict(caller);
    return guest;
  }
  if (!caller.renewal_only && caller.serial <= cluster->second.serial && Ended(cluster->second)) return false;
  const auto it = live_.find(caller.name);
  if (it == live_.end() || it->second.peer != peer) return true;
  it->second.heard = context_.clock.SteadyNow();
  cluster->second.last_seen = context_.clock.WallNow();
  if (!it->second.ready) {
    it->second.ready = true;
    cluster->second.status = api::ClusterStatus::kReady;
    log::Info("cluster is back", {{"cluster", caller.name}});
    Changed(cluster->second);
  }
  return true;
}

Result<api::Cluster*> Members::RecordOf(const wire::Caller& caller, const api::MemberHello& hello) {
  const auto& self = context_.membership.name;
  const auto path = tree_.path ? tree_.path() : std::vector<std::string>();
  if (std::ranges::find(path, caller.name) != path.end()) {
    return Fail(ErrorId::kWouldLoop, fmt::format("{}: is above {}", caller.name, self));
  }
  const bool rooted = !tree_.rooted || tree_.rooted();
  if (hello.rooted_only && !rooted) return Fail(ErrorId::kUnrooted, self + ": has no way to the root now");
  const auto it = clusters_.find(caller.name);
  if (it != clusters_.end() && (it->second.parent == self || it->second.parent.empty())) return &it->second;
  // Not its own parent: for as long as that is lost.
  if (!rooted) return Fail(ErrorId::kUnrooted, self + ": has no way to the root now");
  if (context_.membership.listen.empty()) return Fail(ErrorId::kTakesNoChildren, self + ": listens nowhere");
  if (it != clusters_.end()) return &it->second;
  for (const auto& [source, guests] : guests_) {
    const auto guest = guests.find(caller.name);
    if (guest == guests.end()) continue;
    OTE_TRY(const auto body, FromCbor<crypto::CertificateBody>(guest->second.body));
    api::Cluster cluster;
    cluster.name = body.name;
    cluster.role = body.role;
    cluster.parent = body.parent;
    cluster.labels = body.labels;
    cluster.serial = body.serial;
    cluster.joined_at = body.not_before;
    cluster.expires_at = body.not_after;
    cluster.certificate = guest->second;
    visiting_.insert(cluster.name);
    return &clusters_.insert_or_assign(caller.name, std::move(cluster)).first->second;
  }
  return Fail(ErrorId::kRevoked, fmt::format("{}: not a member here", caller.name));
}

Result<api::MemberWelcome> Members::Hello(const Request& request, const api::MemberHello& hello) {
  if (hello.protocol != api::kProtocolVersion) {
    return Fail(ErrorId::kVersionMismatch, fmt::format("{} speaks protocol {}, this agent {}", request.caller().name,
                                                       hello.protocol, api::kProtocolVersion));
  }
  // It is about this very connection: nobody says it for another.
  const auto& from = request.envelope().from;
  if (!from.empty()) return Fail(ErrorId::kConflict, fmt::format("member.hello: passed on, in the name of {}", from));
  OTE_TRY(auto* record, RecordOf(request.caller(), hello));
  auto& cluster = *record;
  const auto now = context_.clock.WallNow();
  if (std::abs(hello.now - now) > kClockTolerance) {
    log::Warn("the clock of a cluster is off", {{"cluster", cluster.name}, {"by_ms", hello.now - now}});
  }
  cluster.version = hello.version;
  cluster.platform = hello.platform;
  cluster.datasets = hello.datasets;
  cluster.listens = !hello.endpoints.empty();
  cluster.last_seen = now;
  cluster.status = api::ClusterStatus::kReady;
  OTE_CHECK(Save(cluster));
  const auto* peer = std::get_if<wire::PeerId>(&request.from());
  // A newer session takes the place of a stale one.
  if (const auto before = live_.find(cluster.name); before != live_.end() && before->second.peer != *peer) {
    context_.rpc.PeerLost(before->second.peer);
  }
  live_.insert_or_assign(cluster.name, Live{*peer, context_.clock.SteadyNow(), true, hello.epoch, hello.endpoints});
  Tell(routes_.Adopt({cluster.name, hello.epoch}));
  log::Info("cluster connected", {{"cluster", cluster.name}, {"version", cluster.version}});
  api::MemberWelcome welcome;
  welcome.settings = context_.membership.settings;
  welcome.now = now;
  welcome.labels = cluster.labels;
  welcome.trust = NewsFor(request.caller(), hello.trust);
  if (tree_.place) welcome.place = tree_.place(cluster.name);
  // The welcome goes first, so that what the listeners send finds a child that knows where it is.
  context_.timers.At(context_.clock.SteadyNow(), [this, name = cluster.name] { Changed(name); });
  return welcome;
}

Result<api::TrustNews> Members::Heartbeat(const Request& request, const api::TrustHeld& held) {
  const auto live = live_.find(request.caller().name);
  if (live == live_.end() || Destination(live->second.peer) != request.from())
    return Fail(ErrorId::kConflict, "member.heartbeat: say member.hello first");
  return NewsFor(request.caller(), held);
}

api::TrustNews Members::NewsFor(const wire::Caller& caller, const api::TrustHeld& held) {
  auto news = trust_.heard ? trust_.heard(caller, held) : api::TrustNews{};
  if (tree_.rooted) news.rooted = tree_.rooted();
  if (tree_.pulse) news.pulse = tree_.pulse();
  return news;
}

Result<api::Empty> Members::TakeDatasets(const Request& request, const api::DatasetList& list) {
  const auto it = clusters_.find(request.caller().name);
  if (it == clusters_.end()) return Fail(ErrorId::kRevoked, "member.datasets: not a member");
  it->second.datasets = list.datasets;
  OTE_CHECK(Save(it->second));
  Changed(it->second);
  return api::Empty{};
}

void Members::Sweep() {
  const auto now = context_.clock.SteadyNow();
  const auto limit = std::chrono::milliseconds(context_.membership.settings.heartbeat_ms) * kSilentQuarters / 4;
  // At least every heartbeat, for certificates that end.
  auto next = now + std::chrono::milliseconds(context_.membership.settings.heartbeat_ms);
  std::vector<std::string> lost;
  for (auto& [name, live] : live_) {
    if (!live.ready) continue;
    if (const auto cluster = clusters_.find(name); cluster != clusters_.end() && Ended(cluster->second)) {
      live.ready = false;
      lost.push_back(name);
      continue;
    }
    if (now - live.heard >= limit) {
      live.ready = false;
      lost.push_back(name);
    } else {
      next = std::min(next, live.heard + limit);
    }
  }
  context_.timers.At(next, [this] { Sweep(); });
  for (const auto& name : lost) {
    const auto cluster = clusters_.find(name);
    if (cluster == clusters_.end()) continue;
    log::Warn("cluster does not answer", {{"cluster", name}});
    Leave(name);
  }
}

Result<api::Cluster> Members::Label(const api::LabelRequest& request) {
  const auto it = clusters_.find(request.name);
  if (it == clusters_.end()) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", request.name), "ote cluster list");
  }
  auto changed = it->second;
  for (const auto& [key, value] : request.set) changed.labels[key] = value;
  for (const auto& key : request.unset) changed.labels.erase(key);
  OTE_CHECK(api::CheckLabels(changed.labels));
  if (changed.labels != it->second.labels) {
    OTE_CHECK(Save(changed));
    it->second = changed;
    Changed(changed);
  }
  return Shown(changed);
}

Result<api::Cluster> Members::Remove(const api::NameRequest& request) {
  const auto it = clusters_.find(request.name);
  if (it == clusters_.end()) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", request.name), "ote cluster list");
  }
  auto removed = it->second;
  if (!trust_.revoke) return Fail(ErrorId::kPermission, "only a root removes members", "run the command at the root");
  OTE_CHECK(trust_.revoke(removed));
  OTE_CHECK(Drop(removed.name));
  removed.status = api::ClusterStatus::kRemoved;
  return Shown(removed);
}

Result<void> Members::Drop(const std::string& name) {
  const auto it = clusters_.find(name);
  if (it == clusters_.end()) return {};
  auto removed = it->second;
  OTE_CHECK(context_.store.Remove<api::Cluster>(removed.name));
  if (cordons_.erase(name) > 0) OTE_CHECK(SaveCordon(name));
  visiting_.erase(name);
  if (const auto live = live_.find(removed.name); live != live_.end()) {
    context_.rpc.PeerLost(live->second.peer);
    live_.erase(live);
  }
  clusters_.erase(it);
  Unindex(removed);
  // Whatever certificate a connection of it is by.
  const BigId any{std::numeric_limits<std::uint64_t>::max()};
  context_.transport.Evict(wire::Caller{wire::CallerKind::kMember, removed.name, any, false});
  const auto below = routes_.Forget(name);
  routes_.Drop(name);
  removed.status = api::ClusterStatus::kRemoved;
  log::Info("cluster removed", {{"cluster", removed.name}});
  Changed(removed, true);
  Tell(below);
  return {};
}

}  // namespace ote::agent
