#include "agent/uplink.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/base/version.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHelloPatience{10'000};
constexpr milliseconds kTryNextEndpoint{15'000};
constexpr milliseconds kRenewRetry{60'000};

}  // namespace

Uplink::Uplink(Context& context, const crypto::SigningKey& sign, const crypto::TransportKey& transport)
    : context_(context), sign_(sign), transport_key_(transport) {}

void Uplink::Start() {
  if (!context_.membership.parent) return;
  context_.rpc.RegisterCall<api::TrustNews>(api::verb::kTrustNews, kByParent,
                                            [this](const Request&, const auto& news) -> Result<api::TrustHeld> {
                                              OTE_CHECK(TakeNews(news));
                                              return Held();
                                            });
  Connect();
  ScheduleRenewal();
}

void Uplink::Connect() {
  const auto& parent = *context_.membership.parent;
  if (link_) context_.transport.Disconnect(*link_);
  link_.reset();
  AnswerUntold();
  const auto& endpoint = parent.endpoints[endpoint_ % parent.endpoints.size()];
  auto link = context_.transport.Connect({endpoint, crypto::TransportPublic{crypto::AsKey(parent.transport_key)}},
                                         transport_key_);
  if (!link) {
    Lost(link.error().message);
  } else {
    link_ = *link;
  }
  // With several ways to the parent, the next one gets its turn when this one stays silent.
  context_.timers.Cancel(give_up_);
  give_up_ = context_.timers.At(context_.clock.SteadyNow() + kTryNextEndpoint, [this] {
    if (up_) return;
    ++endpoint_;
    Connect();
  });
}

void Uplink::HandleEvent(const wire::Event& event) {
  if (!link_ || event.link != *link_) return;
  switch (event.kind) {
    case wire::EventKind::kLinkUp:
      up_ = true;
      context_.timers.Cancel(give_up_);
      SayHello();
      break;
    case wire::EventKind::kLinkDown:
      Lost("the line to the parent is down");
      break;
    case wire::EventKind::kLinkRefused: {
      const auto own = context_.membership.Own();
      const bool expired = own && context_.clock.WallNow() > own->not_after;
      Lost(expired ? "the parent turns this cluster away: its certificate expired beyond the grace; join again with a "
                     "new token"
                   : "the parent turns this cluster away: it was removed there; join again with a new token");
      break;
    }
    case wire::EventKind::kLinkWrongKey:
      Lost("what answers at the parent's address does not hold the parent's key");
      break;
    case wire::EventKind::kLinkMessage:
      // Put out while connected: asking again brings the reason.
      Lost("the parent turned this cluster out");
      Connect();
      break;
    default:
      break;
  }
}

void Uplink::Lost(std::string why) {
  if (message_ != why) log::Warn("parent not reached", {{"why", why}});
  message_ = std::move(why);
  const bool was_up = up_;
  up_ = false;
  welcomed_ = false;
  context_.timers.Cancel(beat_);
  if (link_) context_.rpc.LinkLost(*link_);
  AnswerUntold();
  if (was_up || !link_) {
    context_.timers.Cancel(give_up_);
    give_up_ = context_.timers.At(context_.clock.SteadyNow() + kTryNextEndpoint, [this] {
      if (up_) return;
      ++endpoint_;
      Connect();
    });
  }
}

void Uplink::SayHello() {
  const auto own = context_.membership.Own();
  if (own && context_.clock.WallNow() > own->not_after) {
    // Cut off for so long that the certificate ran out: renewal is all that the parent allows now.
    return Renew();
  }
  api::MemberHello hello;
  hello.version = Version();
  hello.platform = Platform();
  hello.now = context_.clock.WallNow();
  if (datasets_) hello.datasets = datasets_();
  saying_hello_ = true;
  hello_stale_ = false;
  hello.trust = Held();
  const auto link = *link_;
  context_.rpc.Call(
      link, api::verb::kMemberHello, ToJson(hello), kHelloPatience, [this, link](Result<wire::Envelope> answer) {
        if (!link_ || *link_ != link) return;
        saying_hello_ = false;
        auto welcome =
            answer ? FromWire<api::MemberWelcome>(answer->body) : Result<api::MemberWelcome>(Fail(answer.error()));
        if (!welcome) {
          message_ = welcome.error().message;
          AnswerUntold();
          log::Warn("the parent did not welcome this cluster", {{"why", message_}});
          if (welcome.error().id == ErrorId::kCertificateExpired) return Renew();
          beat_ = context_.timers.At(
              context_.clock.SteadyNow() + milliseconds(context_.membership.settings.heartbeat_ms), [this] {
                if (up_) SayHello();
              });
          return;
        }
        if (auto taken = TakeNews(welcome->trust); !taken)
          log::Error("news of the parent not taken", {{"why", taken.error().message}});
        if (welcome->settings.heartbeat_ms != context_.membership.settings.heartbeat_ms ||
            welcome->settings.renew_grace_ms != context_.membership.settings.renew_grace_ms) {
          context_.membership.settings = welcome->settings;
          if (auto saved = context_.folder.SaveMembership(context_.membership); !saved) {
            log::Error("settings not saved", {{"why", saved.error().message}});
          }
        }
        welcomed_ = true;
        missed_ = 0;
        message_.clear();
        log::Info("connected to the parent");
        Beat();
        // What was registered while the hello was on its way is not in it.
        if (std::exchange(hello_stale_, false)) {
          DatasetsChanged([told = std::exchange(untold_, {})] {
            for (const auto& fn : told) fn();
          });
        }
        for (const auto& fn : connected_) fn();
      });
}

void Uplink::Beat() {
  context_.timers.Cancel(beat_);
  const milliseconds interval(std::max<std::int64_t>(context_.membership.settings.heartbeat_ms, 100));
  beat_ = context_.timers.At(context_.clock.SteadyNow() + interval, [this, interval] {
    if (!up_ || !link_) return;
    const auto link = *link_;
    context_.rpc.Call(link, api::verb::kMemberHeartbeat, ToJson(Held()), interval * 2,
                      [this, link](const Result<wire::Envelope>& answer) {
                        if (!link_ || *link_ != link || !welcomed_) return;
                        if (answer) {
                          missed_ = 0;
                          const auto news = FromWire<api::TrustNews>(answer->body);
                          auto taken = news ? TakeNews(*news) : Result<void>(Fail(news.error()));
                          if (!taken) log::Warn("news of the parent not taken", {{"why", taken.error().message}});
                        } else if (answer.error().id == ErrorId::kConflict) {
                          // The parent was restarted and does not know this connection yet.
                          welcomed_ = false;
                          SayHello();
                        } else if (++missed_ >= 3) {
                          // Connected, and nobody there: a half-open line. Begin anew.
                          Lost("the parent does not answer");
                          Connect();
                        }
                      });
    Beat();
  });
}

void Uplink::Call(std::string_view verb, Json body, milliseconds patience, Rpc::Continuation then) {
  if (!welcomed_ || !link_) {
    context_.timers.At(context_.clock.SteadyNow(), [then = std::move(then), why = message_] {
      then(Fail(ErrorId::kUnreachable, "the parent: " + (why.empty() ? std::string("not connected") : why)));
    });
    return;
  }
  context_.rpc.Call(*link_, verb, std::move(body), patience, std::move(then));
}

void Uplink::CallAbove(const std::string& cluster, std::string_view verb, Json body, milliseconds patience,
                       Rpc::Continuation then) {
  const auto own = context_.membership.Own();
  if (own && own->parent == cluster) return Call(verb, std::move(body), patience, std::move(then));
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
  if (!welcomed_ || !datasets_) {
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

api::TrustHeld Uplink::Held() const {
  const auto& member = context_.membership;
  api::TrustHeld held;
  if (const auto own = member.Own()) held.serial = own->serial;
  if (member.revocations) {
    if (const auto list = crypto::CheckRevocationList(*member.revocations, member.AuthorityKey(), 0))
      held.revocations = list->number;
  }
  held.operators = list_number_.Of(member.operators, member.AuthorityKey());
  held.authority = crypto::ToBytes(crypto::FingerprintOf(member.AuthorityKey()));
  return held;
}

Result<void> Uplink::CheckOwn(const crypto::CertificateBody& issued) const {
  OTE_TRY(const auto own, context_.membership.Own());
  if (issued.name != own.name || issued.sign_key != own.sign_key || issued.transport_key != own.transport_key)
    return Fail(ErrorId::kCertificateInvalid, "the new certificate is not for this cluster's keys");
  if (issued.serial < own.serial)
    return Fail(ErrorId::kCertificateInvalid, "the new certificate is older than the one that is held");
  return {};
}

Result<void> Uplink::TakeNews(const api::TrustNews& news) {
  if (news.Empty()) return {};
  const auto held = Held();
  auto member = context_.membership;
  auto authority = member.AuthorityKey();
  if (!news.successions.empty()) {
    OTE_TRY(authority, crypto::FollowSuccession(news.successions, crypto::FingerprintOf(authority)));
  }
  const bool succeeded = authority != member.AuthorityKey();
  const bool papers = news.certificate && news.revocations && (news.operators || !member.operators);
  if (succeeded && !papers) {
    return Fail(ErrorId::kSuccessionInvalid, "a new authority came without the papers that it has signed");
  }
  if (news.certificate) {
    OTE_TRY(const auto issued, crypto::CheckCertificateSignature(*news.certificate, authority));
    OTE_CHECK(CheckOwn(issued));
    member.certificate = *news.certificate;
  }
  if (news.revocations) {
    OTE_CHECK(crypto::CheckRevocationList(*news.revocations, authority, held.revocations));
    member.revocations = news.revocations;
  }
  if (news.operators) {
    OTE_CHECK(api::CheckOperatorList(*news.operators, authority, held.operators));
    member.operators = news.operators;
  }
  if (succeeded) {
    const auto from = crypto::SuccessionOf(news.successions, crypto::FingerprintOf(member.AuthorityKey()));
    member.successions.insert(member.successions.end(), news.successions.begin() + static_cast<std::ptrdiff_t>(from),
                              news.successions.end());
    member.authority_key = crypto::ToBytes(authority.bytes);
  }
  OTE_CHECK(context_.folder.SaveMembership(member));
  context_.membership = std::move(member);
  if (succeeded) {
    log::Info("the tree has a new authority", {{"fingerprint", crypto::ToText(crypto::FingerprintOf(authority))}});
  }
  if (news.certificate) ScheduleRenewal();
  if (news.operators && operators_) operators_();
  return {};
}

void Uplink::Reconnect() {
  message_ = "the link begins anew";
  Lost(message_);
  Connect();
}

void Uplink::ScheduleRenewal() {
  const auto own = context_.membership.Own();
  if (!own) return;
  const auto wait = std::clamp<UnixMillis>(crypto::RenewalTime(*own) - context_.clock.WallNow(), 50, 3'600'000);
  context_.timers.Cancel(renewal_);
  renewal_ = context_.timers.At(context_.clock.SteadyNow() + milliseconds(wait), [this] {
    const auto body = context_.membership.Own();
    if (!body || context_.clock.WallNow() < crypto::RenewalTime(*body)) return ScheduleRenewal();
    if (up_) {
      Renew();
    } else {
      RetryRenewal();
    }
  });
}

void Uplink::RetryRenewal() {
  // A sixth of the life that is left after renewal is due, at most a minute: short lives are retried often.
  const auto own = context_.membership.Own();
  const auto life = own ? own->not_after - own->not_before : 0;
  const auto wait = std::clamp(milliseconds(life / 18), milliseconds(500), kRenewRetry);
  context_.timers.Cancel(renewal_);
  renewal_ = context_.timers.At(context_.clock.SteadyNow() + wait, [this] {
    if (up_) {
      Renew();
    } else {
      RetryRenewal();
    }
  });
}

void Uplink::Renew() {
  if (!link_) return RetryRenewal();
  const auto own = context_.membership.Own();
  if (!own) return;
  api::RenewBody body{own->serial, context_.clock.WallNow(), BigId{RandomU64()}};
  api::RenewRequest request;
  request.body = ToCbor(body);
  const auto signature = sign_.Sign("ote-renew-v1", request.body);
  request.signature.assign(signature.begin(), signature.end());
  const auto link = *link_;
  context_.rpc.Call(link, api::verb::kMemberRenew, ToJson(request), kHelloPatience,
                    [this, link, before = own->serial](const Result<wire::Envelope>& answer) {
                      const bool current = link_ && *link_ == link;
                      auto renewed = answer ? TakeCertificate(answer->body) : Result<void>(Fail(answer.error()));
                      if (!renewed) {
                        log::Warn("certificate not renewed", {{"why", renewed.error().message}});
                        message_ = renewed.error().message;
                        return RetryRenewal();
                      }
                      const auto held = context_.membership.Own();
                      // The root's clock says that it is not time yet: asking at once again would only repeat that.
                      if (held && held->serial == before) return RetryRenewal();
                      log::Info("certificate renewed");
                      ScheduleRenewal();
                      // The parent admitted this connection for renewal only: a new one is a full one.
                      if (current && !welcomed_) Connect();
                    });
}

Result<void> Uplink::TakeCertificate(const Json& body) {
  OTE_TRY(const auto reply, FromWire<api::RenewReply>(body));
  OTE_TRY(const auto issued, crypto::CheckCertificateSignature(reply.certificate, context_.membership.AuthorityKey()));
  OTE_CHECK(CheckOwn(issued));
  context_.membership.certificate = reply.certificate;
  return context_.folder.SaveMembership(context_.membership);
}

}  // namespace ote::agent
