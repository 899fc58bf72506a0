// Whether the parent is still there, and who else may be when it is not.
#include <algorithm>
#include <utility>

#include "agent/uplink.h"
#include "core/base/log.h"
#include "core/tree/alternates.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNewsPatience{10'000};
constexpr milliseconds kLongestPause{30'000};

}  // namespace

std::string Uplink::NameAt(wire::LinkId link) const {
  if (home_.link == link) return home_.parent.name;
  return away_ && away_->link == link ? away_->parent.name : "";
}

void Uplink::Beat() {
  context_.timers.Cancel(beat_);
  beat_ = context_.timers.At(context_.clock.SteadyNow() + Interval(), [this] {
    if (current_ == nullptr) return;
    const auto link = *current_->link;
    context_.rpc.Call(link, api::verb::kMemberHeartbeat, ToJson(renewal_.Held()), Interval() * 2,
                      [this, link, sent = context_.clock.SteadyNow()](const Result<wire::Envelope>& answer) {
                        auto* line = LineOf(link);
                        if (line == nullptr || line != current_) return;
                        const auto parent = line->parent.name;
                        const auto took = context_.clock.SteadyNow() - sent;
                        Beaten(*line, answer);
                        if (!answer) return;
                        for (const auto& fn : beats_) fn(parent, took);
                      });
    Beat();
  });
}

void Uplink::ListenForSilence() {
  context_.timers.Cancel(silence_);
  // Connected, and nobody there: a half-open line.
  silence_ = context_.timers.At(context_.clock.SteadyNow() + Interval() * 5 / 2, [this] {
    if (current_ == nullptr) return;
    const bool home = current_ == &home_;
    Lost(*current_, "the parent does not answer");
    if (home) Connect(home_);
  });
}

void Uplink::Beaten(Line& line, const Result<wire::Envelope>& answer) {
  if (!answer) {
    if (answer.error().id != ErrorId::kConflict) return;  // its silence is counted
    // The parent was restarted and does not know this connection yet, or holds another one for the later.
    current_ = nullptr;
    context_.timers.Cancel(beat_);
    context_.timers.Cancel(silence_);
    return SayHello(line);
  }
  const auto news = FromWire<api::TrustNews>(answer->body);
  auto taken = news ? renewal_.TakeNews(*news) : Result<void>(Fail(news.error()));
  if (!taken) log::Warn("news of the parent not taken", {{"why", taken.error().message}});
  if (news) Heard(*news);
  ListenForSilence();
}

void Uplink::Heard(const api::TrustNews& news) {
  const auto now = context_.clock.SteadyNow();
  parent_rooted_ = news.rooted;
  if (news.pulse > pulse_) {
    pulse_ = news.pulse;
    pulse_at_ = now;
  }
  if (news.ask_root) AskRootForNews();
  if (Rooted()) {
    rooted_at_ = now;
    return;
  }
  // The parent itself goes elsewhere first, and takes its children along; those that it does not help help themselves.
  if (now - rooted_at_ > Interval() * 4) TryOthersLater();
}

void Uplink::AskRootForNews() {
  CallAbove(RootName(), api::verb::kTreeTrust, ToJson(renewal_.Held()), kNewsPatience,
            [this](const Result<wire::Envelope>& answer) {
              if (!answer) return log::Debug("the root was not asked for news", {{"why", answer.error().message}});
              const auto news = FromWire<api::TrustNews>(answer->body);
              auto taken = news ? renewal_.TakeNews(*news) : Result<void>(Fail(news.error()));
              if (!taken) return log::Warn("news of the root not taken", {{"why", taken.error().message}});
              if (news->certificate) TellCertificate([] {});
            });
}

void Uplink::TryOthersLater() {
  if (others_ != 0 || (away_ && current_ != &*away_)) return;
  const auto pause = next_other_ == 0 && rounds_ == 0
                         ? Jittered(Interval())
                         : Jittered(std::min(kLongestPause, Interval() * (1 << std::min(rounds_, 8))));
  others_ = context_.timers.At(context_.clock.SteadyNow() + pause, [this] {
    others_ = 0;
    TryNext();
  });
}

void Uplink::TryNext() {
  context_.timers.Cancel(others_);
  others_ = 0;
  const bool hangs_on_it = away_ && current_ == &*away_;
  if (away_ && !hangs_on_it) {
    Close(*away_);
    away_.reset();
  }
  if (Rooted()) return;
  auto others = tree::Alternates(context_.membership.place, context_.membership.name);
  if (hangs_on_it) std::erase_if(others, [&](const auto& other) { return other.name == away_->parent.name; });
  if (next_other_ >= others.size()) {
    next_other_ = 0;
    ++rounds_;
    return others.empty() ? void() : TryOthersLater();
  }
  if (hangs_on_it) {
    // It has no way to the root any more; the own parent is tried all the time.
    Lost(*current_, "the parent that took this cluster in has no way to the root");
    return;
  }
  const auto& other = others[next_other_++];
  away_ = Line{other, 0, std::nullopt, false, 0, 0};
  log::Debug("another parent is tried", {{"parent", other.name}});
  Connect(*away_);
}

}  // namespace ote::agent
