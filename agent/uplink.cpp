#include "agent/uplink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/endpoints.h"
#include "agent/parent_pin.h"
#include "core/api/parent_key.h"
#include "core/base/log.h"
#include "core/base/version.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHelloPatience{10'000};
constexpr milliseconds kTryNextEndpoint{15'000};
constexpr std::string_view kEpochKind = "tree-epoch";

}  // namespace

Uplink::Uplink(Context& context, const crypto::SigningKey& sign, const crypto::TransportKey& transport)
    : context_(context),
      transport_key_(transport),
      renewal_(context, sign,
               {[this] { return home_.up || (away_ && away_->up); },
                [this](std::string_view verb, Json body, Rpc::Continuation then) {
                  const auto& line = current_ != nullptr ? *current_ : home_.up ? home_ : *away_;
                  const auto root = RootName();
                  const auto way = line.parent.name == root ? Destination(*line.link) : Upward{*line.link, root};
                  context_.rpc.Call(way, verb, std::move(body), kHelloPatience, std::move(then));
                },
                [this] {
                  TellCertificate([this] {
                    // The parent admitted this connection for renewal only: a new one is a full one.
                    if (current_ == nullptr && home_.up) Connect(home_);
                  });
                },
                [this](const Error& error) { message_ = error.message; },
                [this](const api::TrustNews& news) {
                  for (const auto& fn : news_) fn(news);
                }}) {}

void Uplink::Start() {
  const auto& member = context_.membership;
  if (!member.parent) return;
  context_.rpc.RegisterCall<api::TrustNews>(api::verb::kTrustNews, kByParent,
                                            [this](const Request&, const auto& news) -> Result<api::TrustHeld> {
                                              OTE_CHECK(renewal_.TakeNews(news));
                                              return renewal_.Held();
                                            });
  context_.rpc.RegisterCall<api::TreePlace>(api::verb::kTreePlace, kByParent,
                                            [this](const Request& request, const auto& place) -> Result<api::Empty> {
                                              const auto* link = std::get_if<wire::LinkId>(&request.from());
                                              auto* line = link != nullptr ? LineOf(*link) : nullptr;
                                              if (line != nullptr && line == current_) TakePlace(*line, place);
                                              return api::Empty{};
                                            });
  context_.rpc.RegisterCall<api::ParentKey>(api::verb::kTreeParentKey, kByParent,
                                            [this](const Request&, const auto& key) -> Result<api::Empty> {
                                              OTE_CHECK(ParentPin(context_).Take(key.certificate));
                                              return api::Empty{};
                                            });
  const auto own = member.Own();
  home_.parent = {own ? own->parent : "", member.parent->endpoints, member.parent->transport_key, 0};
  place_ = member.place;
  if (place_.path.empty()) place_.path = {home_.parent.name};
  pulse_at_ = rooted_at_ = context_.clock.SteadyNow();
  Connect(home_);
  TryOthersLater();
  renewal_.Schedule();
}

milliseconds Uplink::Interval() const {
  return milliseconds(std::max<std::int64_t>(context_.membership.settings.heartbeat_ms, 50));
}

milliseconds Uplink::Jittered(milliseconds time) const {
  return time / 2 +
         milliseconds(static_cast<std::int64_t>(RandomU64() % (static_cast<std::uint64_t>(time.count()) + 1)));
}

std::string Uplink::ParentName() const { return current_ != nullptr ? current_->parent.name : home_.parent.name; }

std::string Uplink::RootName() const {
  if (!context_.membership.parent) return context_.membership.name;
  return place_.path.empty() ? home_.parent.name : place_.path.front();
}

bool Uplink::Rooted() const {
  if (!context_.membership.parent) return true;
  return current_ != nullptr && parent_rooted_ && context_.clock.SteadyNow() - pulse_at_ < Interval() * 7 / 2;
}

std::int64_t Uplink::Pulse() const { return pulse_; }

Uplink::Line* Uplink::LineOf(wire::LinkId link) {
  if (home_.link == link) return &home_;
  if (away_ && away_->link == link) return &*away_;
  return nullptr;
}

void Uplink::Connect(Line& line) {
  Close(line);
  auto& parent = line.parent;
  auto turn = line.endpoint;
  if (&line == &home_) {  // at each endpoint each key has its turn
    const auto keys = ParentPin(context_).Keys();
    parent.transport_key = keys[turn % keys.size()];
    turn /= keys.size();
  }
  const auto& endpoint = parent.endpoints[turn % parent.endpoints.size()];
  auto link = context_.transport.Connect({endpoint, crypto::TransportPublic{crypto::AsKey(parent.transport_key)}},
                                         transport_key_);
  if (link) {
    line.link = *link;
  } else {
    Lost(line, link.error().message);
  }
  GiveUpLater(line);
}

// With several ways to the parent, the next one gets its turn when this one stays silent.
void Uplink::GiveUpLater(Line& line) {
  context_.timers.Cancel(line.give_up);
  const bool home = &line == &home_;
  const auto patience = home ? kTryNextEndpoint : std::max(milliseconds(500), Interval() * 3 / 2);
  line.give_up = context_.timers.At(context_.clock.SteadyNow() + patience, [this, home] {
    if (!home) {
      if (current_ != &*away_) TryNext();
      return;
    }
    if (home_.up) return;
    ++home_.endpoint;
    Connect(home_);
  });
}

void Uplink::Close(Line& line) {
  context_.timers.Cancel(line.give_up);
  context_.timers.Cancel(line.again);
  if (line.link) {
    context_.rpc.LinkLost(*line.link);
    context_.transport.Disconnect(*line.link);
  }
  line.link.reset();
  line.up = false;
  if (current_ == &line) {
    current_ = nullptr;
    context_.timers.Cancel(beat_);
    context_.timers.Cancel(silence_);
  }
  if (current_ == nullptr) AnswerUntold();
}

std::string Uplink::RefusalText() const {
  const auto own = context_.membership.Own();
  const bool expired = own && context_.clock.WallNow() > own->not_after;
  return expired ? "the parent turns this cluster away: its certificate expired beyond the grace; join again with a "
                   "new token"
                 : "the parent turns this cluster away: it was removed there; join again with a new token";
}

void Uplink::HandleEvent(const wire::Event& event) {
  auto* line = LineOf(event.link);
  if (line == nullptr) return;
  const bool home = line == &home_;
  switch (event.kind) {
    case wire::EventKind::kLinkUp:
      line->up = true;
      if (home) context_.timers.Cancel(line->give_up);
      SayHello(*line);
      break;
    case wire::EventKind::kLinkDown:
      if (!home && line != current_) return TryNext();
      Lost(*line, "the line to the parent is down");
      // It may be back by its next key, which this line does not ask for.
      if (const auto keys = home ? ParentPin(context_).Keys().size() : 1; keys > 1) {
        home_.endpoint -= home_.endpoint % keys;
        Connect(home_);
      }
      break;
    case wire::EventKind::kLinkRefused:
    case wire::EventKind::kLinkWrongKey:
      if (!home) return TryNext();
      if (const auto keys = ParentPin(context_).Keys();
          event.kind == wire::EventKind::kLinkWrongKey && keys.size() > 1) {
        const bool first = home_.endpoint % 2 == 0;
        if (first && home_.parent.transport_key == keys.front()) ++home_.endpoint;
        if (first) return Connect(home_);
      }
      Lost(*line, event.kind == wire::EventKind::kLinkRefused
                      ? RefusalText()
                      : "what answers at the parent's address does not hold the parent's key; if the parent has "
                        "changed it, join again with a new token");
      break;
    case wire::EventKind::kLinkMessage:
      // Put out while connected: asking again brings the reason.
      Lost(*line, "the parent turned this cluster out");
      if (home) {
        Connect(home_);
      } else {
        TryNext();
      }
      break;
    default:
      break;
  }
}

void Uplink::Lost(Line& line, const std::string& why) {
  const bool was_up = std::exchange(line.up, false);
  if (line.link) context_.rpc.LinkLost(*line.link);
  if (&line == current_ || current_ == nullptr) {
    if (message_ != why) log::Warn("parent not reached", {{"parent", line.parent.name}, {"why", why}});
    message_ = why;
    current_ = nullptr;
    context_.timers.Cancel(beat_);
    context_.timers.Cancel(silence_);
    AnswerUntold();
    if (&line != &home_) {
      Close(line);
      away_.reset();
      next_other_ = 0;
    }
    TryOthersLater();
  }
  if (&line == &home_ && (was_up || !line.link)) GiveUpLater(line);
}

void Uplink::SayHello(Line& line) {
  const auto own = context_.membership.Own();
  if (own && context_.clock.WallNow() > own->not_after) {
    // Cut off for so long that the certificate ran out: renewal is all that the parent allows now.
    return renewal_.Renew();
  }
  api::MemberHello hello;
  hello.version = Version();
  hello.platform = Platform();
  hello.now = context_.clock.WallNow();
  if (datasets_) hello.datasets = datasets_();
  hello.trust = renewal_.Held();
  hello.epoch = NextEpoch();
  hello.endpoints = EndpointsToTell(context_.membership);
  hello.rooted_only = current_ != nullptr && current_ != &line;
  if (current_ == nullptr) {
    saying_hello_ = true;
    hello_stale_ = false;
  }
  const auto link = *line.link;
  context_.rpc.Call(
      link, api::verb::kMemberHello, ToJson(hello), kHelloPatience, [this, link](Result<wire::Envelope> answer) {
        auto* answered = LineOf(link);
        if (answered == nullptr || !answered->up) return;
        if (current_ == nullptr) saying_hello_ = false;
        auto welcome =
            answer ? FromWire<api::MemberWelcome>(answer->body) : Result<api::MemberWelcome>(Fail(answer.error()));
        if (!welcome) return NotWelcome(*answered, welcome.error());
        Welcomed(*answered, *welcome);
      });
}

void Uplink::NotWelcome(Line& line, const Error& error) {
  if (&line != &home_) {
    log::Debug("not taken in", {{"by", line.parent.name}, {"why", error.message}});
    return TryNext();
  }
  if (current_ == nullptr) {
    message_ = error.message;
    AnswerUntold();
    log::Warn("the parent did not welcome this cluster", {{"why", message_}});
  }
  if (error.id == ErrorId::kCertificateExpired) return renewal_.Renew();
  SayHelloHomeLater();
}

void Uplink::SayHelloHomeLater() {
  context_.timers.Cancel(home_.again);
  home_.again = context_.timers.At(context_.clock.SteadyNow() + Interval(), [this] {
    if (home_.up && current_ != &home_) SayHello(home_);
  });
}

void Uplink::Welcomed(Line& line, const api::MemberWelcome& welcome) {
  if (auto taken = renewal_.TakeNews(welcome.trust); !taken)
    log::Error("news of the parent not taken", {{"why", taken.error().message}});
  if (welcome.settings.heartbeat_ms != context_.membership.settings.heartbeat_ms ||
      welcome.settings.renew_grace_ms != context_.membership.settings.renew_grace_ms) {
    context_.membership.settings = welcome.settings;
    if (auto saved = context_.folder.SaveMembership(context_.membership); !saved) {
      log::Error("settings not saved", {{"why", saved.error().message}});
    }
  }
  if (welcome.now > 0) clock_ahead_ = welcome.now - context_.clock.WallNow();
  const bool moved = current_ != nullptr && current_ != &line;
  if (moved) context_.rpc.LinkLost(*current_->link);
  current_ = &line;
  message_.clear();
  parent_rooted_ = welcome.trust.rooted;
  pulse_ = std::max(pulse_, welcome.trust.pulse);
  pulse_at_ = rooted_at_ = context_.clock.SteadyNow();
  context_.timers.Cancel(others_);
  others_ = 0;
  next_other_ = 0;
  if (&line == &home_) {
    ParentPin(context_).Shown(home_.parent.transport_key);
    rounds_ = 0;
    if (away_) {
      Close(*away_);
      away_.reset();
    }
  } else {
    context_.timers.Cancel(line.give_up);
    if (home_.up) SayHelloHomeLater();
    AskForHomeKey();
  }
  log::Info("connected to the parent", {{"parent", line.parent.name}, {"own", &line == &home_ ? "yes" : "no"}});
  TakePlace(line, welcome.place);
  Beat();
  ListenForSilence();
  // What was registered while the hello was on its way is not in it.
  if (std::exchange(hello_stale_, false) || moved) {
    DatasetsChanged([told = std::exchange(untold_, {})] {
      for (const auto& fn : told) fn();
    });
  }
  if (line.parent.name != RootName()) AskRootForNews();
  for (const auto& fn : connected_) fn();
}

void Uplink::TakePlace(Line& line, const api::TreePlace& place) {
  if (!place.self) {  // news of connections only: the place is as it was
    for (const auto& fn : placed_) fn(place);
    return;
  }
  place_ = place;
  place_.guests.clear();
  place_.stale.clear();
  if (place_.path.empty()) place_.path = {line.parent.name};
  // Where else to go is what the own parent says of it, also when that is lost.
  if (&line == &home_ && ToCbor(place_) != ToCbor(context_.membership.place)) {
    context_.membership.place = place_;
    if (auto saved = context_.folder.SaveMembership(context_.membership); !saved)
      log::Error("the place in the tree is not saved", {{"why", saved.error().message}});
  }
  for (const auto& fn : placed_) fn(place);
}

// The own parent may be lost because it has changed its key while this cluster was away.
void Uplink::AskForHomeKey() {
  CallAbove(RootName(), api::verb::kTreeAskParent, ToJson(api::Empty{}), kHelloPatience,
            [this](const Result<wire::Envelope>& answer) {
              const auto key =
                  answer ? FromWire<api::ParentKey>(answer->body) : Result<api::ParentKey>(Fail(answer.error()));
              const auto before = ParentPin(context_).Keys();
              const auto taken = key ? ParentPin(context_).Take(key->certificate) : Result<void>(Fail(key.error()));
              if (!taken) return log::Debug("the parent's key is not known anew", {{"why", taken.error().message}});
              if (ParentPin(context_).Keys() == before || home_.up) return;
              home_.endpoint = 0;
              Connect(home_);
            });
}

std::int64_t Uplink::NextEpoch() {
  std::int64_t last = 0;
  if (const auto kept = context_.store.GetDoc(kEpochKind, ""); kept && *kept) {
    const auto text = AsText(**kept);
    std::from_chars(text.data(), text.data() + text.size(), last);
  }
  // By the calendar, so that one restored from a backup does not begin with those that it had before.
  const auto next = std::max<std::int64_t>(last + 1, context_.clock.WallNow());
  const auto text = std::to_string(next);
  if (auto saved = context_.store.PutDoc(kEpochKind, "", AsBytes(text)); !saved)
    log::Error("the count of connections is not saved", {{"why", saved.error().message}});
  return next;
}

void Uplink::Call(std::string_view verb, Json body, milliseconds patience, Rpc::Continuation then) {
  if (current_ == nullptr) {
    context_.timers.At(context_.clock.SteadyNow(), [then = std::move(then), why = message_] {
      then(Fail(ErrorId::kUnreachable, "the parent: " + (why.empty() ? std::string("not connected") : why)));
    });
    return;
  }
  context_.rpc.Call(*current_->link, verb, std::move(body), patience, std::move(then));
}

std::optional<Destination> Uplink::WayAbove(const std::string& cluster) const {
  if (current_ == nullptr || cluster.empty()) return std::nullopt;
  if (cluster == current_->parent.name) return *current_->link;
  if (std::ranges::find(place_.path, cluster) == place_.path.end()) return std::nullopt;
  return Upward{*current_->link, cluster};
}

void Uplink::CallAbove(const std::string& cluster, std::string_view verb, Json body, milliseconds patience,
                       Rpc::Continuation then) {
  if (current_ == nullptr) return Call(verb, std::move(body), patience, std::move(then));
  if (const auto way = WayAbove(cluster)) {
    context_.rpc.Call(*way, verb, std::move(body), patience, std::move(then));
    return;
  }
  context_.timers.At(context_.clock.SteadyNow(), [then = std::move(then), cluster] {
    then(Fail(ErrorId::kNoRoute, fmt::format("{}: not above this cluster", cluster)));
  });
}

void Uplink::DatasetsChanged(std::function<void()> told) {
  if (saying_hello_ && datasets_) {
    hello_stale_ = true;
    if (told) untold_.push_back(std::move(told));
    return;
  }
  if (current_ == nullptr || !datasets_) {
    if (told) context_.timers.At(context_.clock.SteadyNow(), std::move(told));
    return;
  }
  Call(api::verb::kMemberDatasets, ToJson(api::DatasetList{datasets_()}), kHelloPatience,
       [told = std::move(told)](const Result<wire::Envelope>& answer) {
         if (!answer) log::Warn("data sets not told to the parent", {{"why", answer.error().message}});
         if (told) told();
       });
}

void Uplink::AnswerUntold() {
  saying_hello_ = false;
  for (auto& told : std::exchange(untold_, {})) context_.timers.At(context_.clock.SteadyNow(), std::move(told));
}

void Uplink::TellCertificate(std::function<void()> told) {
  const auto& line = current_ != nullptr ? *current_ : home_;
  if (!line.up || line.parent.name == RootName()) return told();
  context_.rpc.Call(*line.link, api::verb::kTreeCertificate,
                    ToJson(api::CertificateNews{context_.membership.certificate}), kHelloPatience,
                    [told = std::move(told)](const Result<wire::Envelope>& answer) {
                      if (!answer) log::Warn("certificate not told to the parent", {{"why", answer.error().message}});
                      told();
                    });
}

void Uplink::Reconnect() {
  message_ = "the link begins anew";
  if (away_) {
    Close(*away_);
    away_.reset();
  }
  Lost(home_, message_);
  Connect(home_);
}

}  // namespace ote::agent
