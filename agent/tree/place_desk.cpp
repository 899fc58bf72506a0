#include "agent/tree/place_desk.h"

#include <algorithm>
#include <utility>

#include "agent/endpoints.h"
#include "core/base/log.h"
#include "core/tree/alternates.h"
#include "crypto/digest.h"

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

// Of all that is told: a certificate is known by its signature.
Bytes DigestOf(api::TreePlace place) {
  Bytes all;
  for (const auto& guest : place.guests) all.insert(all.end(), guest.signature.begin(), guest.signature.end());
  place.guests.clear();
  const auto rest = ToCbor(place);
  all.insert(all.end(), rest.begin(), rest.end());
  return crypto::ToBytes(crypto::DigestOf(all).bytes);
}

}  // namespace

void PlaceDesk::Start() {
  // Who may come is known from the last time, also when the parent is gone.
  if (const auto kept = context_.store.GetDoc(kGuestKind, ""); kept && *kept) {
    if (const auto list = FromCbor<GuestList>(**kept)) members_.SetGuests("parent", list->items);
  }
  uplink_.OnPlace([this](const api::TreePlace& place) { TakePlace(place); });
  members_.OnChange([this](const api::Cluster&, bool) {
    guests_known_ = false;
    TellLater();
  });
}

api::ParentEntry PlaceDesk::Self() const {
  return {context_.membership.name, EndpointsToTell(context_.membership),
          crypto::ToBytes(context_.transport_key.Public().bytes), 0};
}

std::vector<api::ParentEntry> PlaceDesk::Takers() const {
  auto takers = members_.Takers();
  if (takers.size() > kMostTakers) takers.resize(kMostTakers);
  return takers;
}

api::TreePlace PlaceDesk::PlaceFor(const std::string& child) const { return PlaceFor(child, Takers()); }

api::TreePlace PlaceDesk::PlaceFor(const std::string& child, const std::vector<api::ParentEntry>& takers) const {
  const bool is_root = !context_.membership.parent;
  auto place = tree::PlaceOf(child, is_root ? api::TreePlace{} : uplink_.Place(), Self(), takers);
  if (std::ranges::find(takers, child, &api::ParentEntry::name) == takers.end()) return place;
  FindGuests(takers);
  const auto guests = guests_.find(child);
  if (guests == guests_.end()) return place;
  for (const auto& name : guests->second) {
    if (place.guests.size() >= kMostGuests) break;
    if (const auto* certificate = members_.CertificateOf(name)) place.guests.push_back(*certificate);
  }
  return place;
}

api::TreePlace PlaceDesk::Welcome(const std::string& child) {
  auto place = PlaceFor(child);
  told_[child] = DigestOf(place);
  return place;
}

// Of all at once: each cluster below is looked at one time, however many children there are.
void PlaceDesk::FindGuests(const std::vector<api::ParentEntry>& takers) const {
  std::vector<std::string> names;
  for (const auto& taker : takers) names.push_back(taker.name);
  if (guests_known_ && names == guests_among_) return;
  guests_known_ = true;
  guests_among_ = std::move(names);
  guests_.clear();
  const auto invite = [this](const std::string& name, const std::string& but, std::size_t most) {
    for (const auto i : tree::MeantAmong(name, guests_among_, but, most)) guests_[guests_among_[i]].push_back(name);
  };
  // The children of its siblings, should those be lost, and its siblings, should we be.
  for (const auto& [name, below] : members_.routes().All()) {
    if (below.entry.cluster.via == below.child) invite(name, below.child, tree::kUnclesEach);
  }
  for (const auto& [name, record] : members_.records()) {
    if (record.parent == context_.membership.name) invite(name, name, tree::kSiblingsEach);
  }
}

void PlaceDesk::TakePlace(const api::TreePlace& place) {
  for (const auto& session : place.stale) members_.Outdated(session);
  if (!place.self) return;  // news of connections only
  if (uplink_.AtHome()) TakeGuests(place.guests);
  TellLater();
}

// A place is told with each change of anything in it: the guests are checked and written when they are others.
void PlaceDesk::TakeGuests(const std::vector<crypto::Certificate>& guests) {
  auto told = crypto::DigestOf(ToCbor(GuestList{guests})).ToString();
  if (told == guests_told_) return;
  std::vector<crypto::Certificate> good;
  for (const auto& certificate : guests) {
    if (crypto::CheckCertificateSignature(certificate, context_.membership.AuthorityKey())) good.push_back(certificate);
  }
  members_.SetGuests("parent", good);
  if (auto saved = context_.store.PutDoc(kGuestKind, "", ToCbor(GuestList{good})); !saved)
    return log::Error("who may come is not saved", {{"why", saved.error().message}});
  // Of an authority that is not known here yet some may be good the next time.
  if (good.size() == guests.size()) guests_told_ = std::move(told);
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
  const auto takers = Takers();
  std::vector<std::string> children;
  for (const auto& [name, record] : members_.records()) {
    if (members_.PeerOf(name)) children.push_back(name);
  }
  for (const auto& name : children) {
    const auto place = PlaceFor(name, takers);
    auto& now = told[name] = DigestOf(place);
    const auto before = told_.find(name);
    if (before == told_.end() || before->second != now) Tell(name, place);
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
