// A cluster at the edge that speaks the protocol by hand, so that thousands of them fit into one process: it says
// hello, beats, remembers its place, executes commands, and goes elsewhere when its parent is lost, as agent/uplink.h
// does. It has no disk.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/api/command.h"
#include "core/api/requests.h"
#include "core/tree/alternates.h"
#include "core/wire/transport.h"

namespace ote::test {

class Leaf {
 public:
  using Millis = std::chrono::milliseconds;

  Leaf(std::string name, const Clock& clock, std::unique_ptr<wire::Transport> transport, crypto::TransportKey key,
       BigId serial, api::ParentEntry parent)
      : name_(std::move(name)),
        clock_(clock),
        transport_(std::move(transport)),
        key_(std::move(key)),
        serial_(serial),
        home_{std::move(parent), {}, {}} {
    Connect(home_);
  }

  const std::string& name() const noexcept { return name_; }
  // Whom it hangs on; "" for nobody.
  std::string Parent() const { return current_ != nullptr ? current_->parent.name : ""; }
  const std::string& Home() const noexcept { return home_.parent.name; }
  // How often each command was executed.
  const std::map<std::string, int>& executed() const noexcept { return executed_; }

  // Does what there is to do; false when there was nothing.
  bool Step() {
    bool any = false;
    for (auto& event : transport_->Wait({})) {
      any = true;
      Handle(event);
    }
    return RunDue() || any;
  }

 private:
  static constexpr Millis kNever = Millis::max();

  struct Line {
    api::ParentEntry parent;
    std::optional<wire::LinkId> link;
    std::uint64_t hello = 0;  // the request that is not answered yet
  };

  void Handle(wire::Event& event) {
    auto* line = LineOf(event.link);
    if (line == nullptr) return;
    switch (event.kind) {
      case wire::EventKind::kLinkUp:
        return SayHello(*line);
      case wire::EventKind::kLinkMessage:
        if (event.envelope.verb == wire::kEvictedVerb) return Lost(*line);
        if (event.envelope.kind == wire::MessageKind::kRequest) return Serve(*line, event.envelope);
        return Answered(*line, event.envelope);
      default:
        return Lost(*line);
    }
  }

  void Serve(Line& line, const wire::Envelope& request) {
    if (request.verb == api::verb::kTreePlace) {
      auto place = FromWire<api::TreePlace>(request.body);
      if (place && &line == &home_) Remember(std::move(*place));
      return Reply(line, wire::MakeReply(request, Json::object()));
    }
    if (request.verb == api::verb::kTrustNews)
      return Reply(line, wire::MakeReply(request, ToJson(api::TrustHeld{serial_, 0, {}})));
    const auto command = request.verb == api::verb::kCommandRun
                             ? FromWire<api::Command>(request.body)
                             : Fail(ErrorId::kUnsupported, request.verb + ": not known here");
    if (!command) return Reply(line, wire::MakeError(request, command.error()));
    auto taken = outcomes_.find(command->id);
    const bool fresh = taken == outcomes_.end();
    if (fresh) {
      api::CommandOutcome outcome;
      outcome.id = command->id;
      outcome.issuer = command->issuer;
      outcome.cluster = name_;
      outcome.phase = api::CommandPhase::kAcknowledged;
      outcome.at = clock_.WallNow();
      taken = outcomes_.emplace(command->id, std::move(outcome)).first;
    }
    Reply(line, wire::MakeReply(request, ToJson(taken->second)));
    if (!fresh) return;
    ++executed_[command->id];
    taken->second.phase = api::CommandPhase::kDone;
    untold_.insert(command->id);
    Tell();
  }

  void Answered(Line& line, const wire::Envelope& answer) {
    const bool good = answer.kind == wire::MessageKind::kReply;
    if (answer.id == line.hello) {
      line.hello = 0;
      auto welcome = good ? FromWire<api::MemberWelcome>(answer.body) : Fail(wire::ErrorOf(answer));
      if (welcome) return Welcomed(line, std::move(*welcome));
      if (&line == &home_) {
        hello_again_ = Now() + interval_;
        return;
      }
      return TryNext();
    }
    if (answer.id == beat_) {
      if (good) silence_ = Now() + interval_ * 5 / 2;
      // The parent was restarted, and does not know this connection yet.
      if (!good && wire::ErrorOf(answer).id == ErrorId::kConflict && &line == current_) SayHello(line);
      return;
    }
    const auto told = telling_.find(answer.id);
    if (told == telling_.end()) return;
    const auto id = told->second;
    telling_.erase(told);
    if (good) untold_.erase(id);
  }

  void Welcomed(Line& line, api::MemberWelcome welcome) {
    interval_ = Millis(welcome.settings.heartbeat_ms);
    current_ = &line;
    others_ = kNever;
    hello_again_ = &line == &home_ ? kNever : Now() + interval_;
    next_other_ = 0;
    next_beat_ = Now() + interval_;
    silence_ = Now() + interval_ * 5 / 2;
    if (&line == &home_) {
      if (away_) Disconnect(*away_);
      away_.reset();
      Remember(std::move(welcome.place));
    }
    path_ = std::move(welcome.place.path);
    telling_.clear();
    Tell();
  }

  void Remember(api::TreePlace place) {
    if (!place.self) return;
    path_ = place.path;
    place.path.clear();
    place.guests.clear();
    place.stale.clear();
    place_ = std::move(place);
  }

  void Lost(Line& line) {
    const bool home = &line == &home_;
    line.hello = 0;
    if (!home && &line != current_) return TryNext();
    if (&line == current_ || current_ == nullptr) {
      current_ = nullptr;
      next_beat_ = silence_ = kNever;
      telling_.clear();
      if (!home) {
        Disconnect(line);
        away_.reset();
        next_other_ = 0;
      }
      if (others_ == kNever && !away_) others_ = Now() + Jittered();
    }
  }

  // The order and the pauses of agent/uplink_ways.cpp.
  void TryNext() {
    others_ = kNever;
    if (away_ && current_ == &*away_) return;
    if (away_) Disconnect(*away_);
    away_.reset();
    if (current_ != nullptr) return;
    const auto all = tree::Alternates(place_, name_);
    if (next_other_ >= all.size()) {
      next_other_ = 0;
      others_ = Now() + 2 * Jittered();
      return;
    }
    away_.emplace(Line{all[next_other_++], {}, 0});
    Connect(*away_);
    others_ = Now() + std::max(Millis(500), interval_ * 3 / 2);
  }

  bool RunDue() {
    const auto now = Now();
    bool any = false;
    const auto due = [&](Millis& at) {
      if (now < at) return false;
      at = kNever;
      any = true;
      return true;
    };
    if (due(silence_)) {
      const bool home = current_ == &home_;
      Lost(*current_);
      if (home) Connect(home_);
    }
    if (due(others_)) TryNext();
    if (due(hello_again_) && home_.link && current_ != &home_) SayHello(home_);
    if (due(next_beat_)) {
      next_beat_ = now + interval_;
      beat_ = Ask(*current_, api::verb::kMemberHeartbeat, ToJson(api::TrustHeld{serial_, 0, {}}));
      Tell();
    }
    return any;
  }

  void Tell() {
    if (current_ == nullptr) return;
    for (const auto& id : untold_) {
      if (std::ranges::any_of(telling_, [&](const auto& told) { return told.second == id; })) continue;
      const auto& outcome = outcomes_.at(id);
      const auto to = outcome.issuer == current_->parent.name ? "" : outcome.issuer;
      telling_[Ask(*current_, api::verb::kCommandOutcome, ToJson(outcome), to)] = id;
    }
  }

  void SayHello(Line& line) {
    api::MemberHello hello;
    hello.version = "fake";
    hello.platform = "fake";
    hello.now = clock_.WallNow();
    hello.trust.serial = serial_;
    hello.epoch = epoch_ = std::max(epoch_ + 1, clock_.WallNow());
    hello.rooted_only = current_ != nullptr && current_ != &line;
    line.hello = Ask(line, api::verb::kMemberHello, ToJson(hello));
  }

  std::uint64_t Ask(const Line& line, std::string_view verb, Json body, const std::string& to = "") {
    auto request = wire::MakeRequest(++last_id_, verb, std::move(body));
    request.to = to;
    // One that is not sent is asked again, with the next heartbeat or the next line.
    if (line.link) (void)transport_->Send(*line.link, std::move(request));
    return last_id_;
  }
  void Reply(const Line& line, wire::Envelope reply) { (void)transport_->Send(*line.link, std::move(reply)); }

  Line* LineOf(wire::LinkId link) {
    if (home_.link == link) return &home_;
    return away_ && away_->link == link ? &*away_ : nullptr;
  }
  void Connect(Line& line) {
    Disconnect(line);
    const auto link = transport_->Connect(
        {line.parent.endpoints.front(), crypto::TransportPublic{crypto::AsKey(line.parent.transport_key)}}, key_);
    if (link) line.link = *link;
  }
  void Disconnect(Line& line) {
    if (line.link) transport_->Disconnect(*line.link);
    line.link.reset();
    line.hello = 0;
  }
  Millis Now() const { return clock_.SteadyNow(); }
  // Between a half and one and a half, the same in each run.
  Millis Jittered() const {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name_) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return interval_ / 2 +
           Millis(static_cast<std::int64_t>((hash >> 20) % static_cast<std::uint64_t>(interval_.count() + 1)));
  }

  std::string name_;
  const Clock& clock_;
  std::unique_ptr<wire::Transport> transport_;
  crypto::TransportKey key_;
  BigId serial_;
  Line home_;
  std::optional<Line> away_;
  Line* current_ = nullptr;  // that welcomed us
  api::TreePlace place_;     // as the own parent told it
  std::vector<std::string> path_;
  Millis interval_{5'000};
  Millis next_beat_ = kNever;
  Millis silence_ = kNever;
  Millis others_ = kNever;
  Millis hello_again_ = kNever;
  std::size_t next_other_ = 0;
  std::int64_t epoch_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t beat_ = 0;
  std::map<std::string, api::CommandOutcome> outcomes_;
  std::map<std::string, int> executed_;
  std::set<std::string> untold_;
  std::map<std::uint64_t, std::string> telling_;  // request -> command
};

}  // namespace ote::test
