#include "agent/tree/place_desk.h"

#include <algorithm>
#include <utility>

#include "agent/endpoints.h"
#include "core/base/log.h"
#include "core/tree/alternates.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{20'000};
constexpr std::string_view kGuestKind = "tree-guests";
constexpr std::size_t kMostTakers = 128;
constexpr std::size_t kMostGuests = 1'000;  // a message has a limit; those beyond it have their other ways

struct GuestList {
  std::vector<crypto::Certificate> items;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
  }
};

std::vector<std::string> NamesBut(const std::string& name, const std::vector<api::ParentEntry>& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    if (entry.name != name) names.push_back(entry.name);
  }
  return names;
}

bool IsMeant(const std::string& who, const std::string& taker, std::vector<std::string> takers, std::size_t most) {
  const auto meant = tree::Meant(who, std::move(takers), most);
  return std::ranges::find(meant, taker) != meant.end();
}

}  // namespace

void PlaceDesk::Start() {
  // Who may come is known from the last time, also when the parent is gone.
  if (const auto kept = context_.store.GetDoc(kGuestKind, ""); kept && *kept) {
    if (const auto list = FromCbor<GuestList>(**kept)) members_.SetGuests("parent", list->items);
  }
  uplink_.OnPlace([this](const api::TreePlace& place) { TakePlace(place); });
  members_.OnChange([this](const api::Cluster&, bool) { TellLater(); });
}

api::ParentEntry PlaceDesk::Self() const {
  return {context_.membership.name, EndpointsToTell(context_.membership),
          crypto::ToBytes(context_.transport_key.Public().bytes), 0};
}

api::TreePlace PlaceDesk::PlaceFor(const std::string& child) const {
  auto takers = members_.Takers();
  if (takers.size() > kMostTakers) takers.resize(kMostTakers);
  const bool is_root = !context_.membership.parent;
  auto place = tree::PlaceOf(child, is_root ? api::TreePlace{} : uplink_.Place(), Self(), takers);
  place.guests = GuestsFor(child, takers);
  return place;
}

api::TreePlace PlaceDesk::Welcome(const std::string& child) {
  auto place = PlaceFor(child);
  told_[child] = ToCbor(place);
  return place;
}

std::vector<crypto::Certificate> PlaceDesk::GuestsFor(const std::string& child,
                                                      const std::vector<api::ParentEntry>& takers) const {
  std::vector<crypto::Certificate> guests;
  if (std::ranges::find(takers, child, &api::ParentEntry::name) == takers.end()) return guests;
  const auto add = [&](const std::string& name) {
    if (guests.size() >= kMostGuests) return;
    const auto cluster = members_.Find(name);
    if (cluster && cluster->certificate) guests.push_back(*cluster->certificate);
  };
  // The children of its siblings, should those be lost, and its siblings, should we be.
  for (const auto& [name, below] : members_.routes().All()) {
    if (below.child == child || below.entry.cluster.via != below.child) continue;
    if (IsMeant(name, child, NamesBut(below.child, takers), tree::kUnclesEach)) add(name);
  }
  for (const auto& cluster : members_.List()) {
    if (cluster.parent != context_.membership.name || cluster.name == child) continue;
    if (IsMeant(cluster.name, child, NamesBut(cluster.name, takers), tree::kSiblingsEach)) add(cluster.name);
  }
  return guests;
}

void PlaceDesk::TakePlace(const api::TreePlace& place) {
  for (const auto& session : place.stale) members_.Outdated(session);
  if (!place.self) return;  // news of connections only
  std::vector<crypto::Certificate> good;
  for (const auto& certificate : place.guests) {
    if (crypto::CheckCertificateSignature(certificate, context_.membership.AuthorityKey())) good.push_back(certificate);
  }
  if (uplink_.AtHome()) {
    if (auto saved = context_.store.PutDoc(kGuestKind, "", ToCbor(GuestList{good})); !saved)
      log::Error("who may come is not saved", {{"why", saved.error().message}});
    members_.SetGuests("parent", good);
  }
  TellLater();
}

void PlaceDesk::TellLater() {
  if (later_ != 0) return;
  // What changes at about the same time is told together.
  const milliseconds pause(std::max<std::int64_t>(context_.membership.settings.heartbeat_ms / 4, 10));
  later_ = context_.timers.At(context_.clock.SteadyNow() + pause, [this] {
    later_ = 0;
    TellAll();
  });
}

void PlaceDesk::TellAll() {
  // The children of the children may come here when theirs is lost.
  if (context_.membership.parent && !context_.membership.listen.empty()) {
    std::vector<crypto::Certificate> grandchildren;
    for (const auto& [name, below] : members_.routes().All()) {
      const auto& certificate = below.entry.cluster.certificate;
      if (certificate && crypto::CheckCertificateSignature(*certificate, context_.membership.AuthorityKey()))
        grandchildren.push_back(*certificate);
    }
    members_.SetGuests("children", grandchildren);
  }
  std::map<std::string, Bytes> told;
  for (const auto& cluster : members_.List()) {
    if (!members_.PeerOf(cluster.name)) continue;
    auto place = PlaceFor(cluster.name);
    auto& now = told[cluster.name] = ToCbor(place);
    const auto before = told_.find(cluster.name);
    if (before == told_.end() || before->second != now) Tell(cluster.name, place);
  }
  told_ = std::move(told);
}

void PlaceDesk::Tell(const std::string& child, const api::TreePlace& place) {
  const auto peer = members_.PeerOf(child);
  if (!peer) return;
  context_.rpc.Call(*peer, api::verb::kTreePlace, ToJson(place), kPatience,
                    [this, child](const Result<wire::Envelope>& answer) {
                      if (!answer) told_.erase(child);  // it hears it with its next hello, or with the next change
                    });
}

void PlaceDesk::TellStale(const std::string& child, const std::vector<api::Session>& sessions) {
  api::TreePlace place;
  place.stale = sessions;
  Tell(child, place);
}

}  // namespace ote::agent
