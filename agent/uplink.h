// The link to the parent: connects, says hello, beats, and carries requests up. When the parent is lost it goes to
// another one, and back when the parent returns.
//
// The line to the own parent is always held or tried. While nobody has welcomed this cluster, or the one who did has
// had no way to the root for a while, the alternates are tried beside it, one at a time in the order of their costs
// (core/tree/alternates.h), with a jittered pause before the first and a growing one after each round. Who welcomes
// first has it; the own parent takes it back as soon as it has a way to the root. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/renewal.h"
#include "core/api/requests.h"
#include "crypto/keys.h"

namespace ote::agent {

class Uplink {
 public:
  // The keys must outlive it; they may be changed in their place (then call Reconnect).
  Uplink(Context& context, const crypto::SigningKey& sign, const crypto::TransportKey& transport);

  // Does nothing at a root.
  void Start();
  bool Connected() const noexcept { return current_ != nullptr; }
  // Why not, for people.
  const std::string& Message() const noexcept { return message_; }
  // Whether there is a way to the root, as far as is known: the parent says so, and the root's pulse comes through.
  bool Rooted() const;
  std::int64_t Pulse() const;

  // Whom it hangs on now; its own parent while it hangs on nobody. "" at a root.
  std::string ParentName() const;
  bool AtHome() const noexcept { return current_ == &home_; }
  // Its own parent, whatever it hangs on.
  const std::string& HomeName() const noexcept { return home_.parent.name; }
  // Whom a link goes to, welcomed or not; "" for one that was given up.
  std::string NameAt(wire::LinkId link) const;
  // What the one whom it hangs on, or did last, says of its place.
  const api::TreePlace& Place() const noexcept { return place_; }
  // Above this agent, the root first.
  const std::vector<std::string>& Path() const noexcept { return place_.path; }
  std::string RootName() const;

  // By how many milliseconds the parent's clock was ahead of this one at the last hello.
  std::optional<std::int64_t> ClockAhead() const noexcept { return clock_ahead_; }

  // Asks the parent; kUnreachable at once when there is no link.
  void Call(std::string_view verb, Json body, std::chrono::milliseconds patience, Rpc::Continuation then);
  // The same as a function, for those who are given one to ask with (Transfer::Ask).
  auto Asker() {
    return [this](std::string_view verb, Json body, std::chrono::milliseconds patience, Rpc::Continuation then) {
      Call(verb, std::move(body), patience, std::move(then));
    };
  }
  // The same to any cluster above: the root, or a relay on the way to it.
  void CallAbove(const std::string& cluster, std::string_view verb, Json body, std::chrono::milliseconds patience,
                 Rpc::Continuation then);
  std::optional<Destination> WayAbove(const std::string& cluster) const;

  // Called after each hello that was answered: the time to say again what the parent may have missed.
  void OnConnected(std::function<void()> fn) { connected_.push_back(std::move(fn)); }
  // Called with each heartbeat that was answered: by whom, and how long after it was sent.
  void OnBeat(std::function<void(const std::string& parent, std::chrono::milliseconds round_trip)> fn) {
    beats_.push_back(std::move(fn));
  }
  // Called when the parent told something new of this cluster's place.
  void OnPlace(std::function<void(const api::TreePlace&)> fn) { placed_.push_back(std::move(fn)); }
  // Called when papers of the authority were taken.
  void OnNews(std::function<void(const api::TrustNews&)> fn) { news_.push_back(std::move(fn)); }
  // What hello and member.datasets tell; set by the part that keeps the data sets.
  void SetDatasets(std::function<std::vector<api::DatasetSummary>()> fn) { datasets_ = std::move(fn); }
  // Tells the parent; `told` is called when it knows, or when it cannot be told now and will hear with the next hello.
  void DatasetsChanged(std::function<void()> told = {});

  // Begins new links, with the keys as they are now.
  void Reconnect();
  // Tells the parent, when it is not the root, of a new certificate; `told` in any case, later.
  void TellCertificate(std::function<void()> told);

  // From Node: link events of the transport.
  void HandleEvent(const wire::Event& event);

 private:
  // To one parent.
  struct Line {
    api::ParentEntry parent;
    std::size_t endpoint = 0;
    std::optional<wire::LinkId> link;
    bool up = false;
    Timers::Id give_up = 0;  // the next endpoint, or the next parent, gets its turn
    Timers::Id again = 0;    // hello, after a refusal
  };
  void Connect(Line& line);
  void Close(Line& line);
  Line* LineOf(wire::LinkId link);
  void SayHello(Line& line);
  void SayHelloHomeLater();
  void Welcomed(Line& line, const api::MemberWelcome& welcome);
  void NotWelcome(Line& line, const Error& error);
  void Lost(Line& line, const std::string& why);
  void GiveUpLater(Line& line);
  std::string RefusalText() const;

  void Beat();
  void ListenForSilence();
  void Beaten(Line& line, const Result<wire::Envelope>& answer);
  void Heard(const api::TrustNews& news);
  void AskRootForNews();
  void AskForHomeKey();

  void TryOthersLater();
  void TryNext();
  void TakePlace(Line& line, const api::TreePlace& place);
  std::int64_t NextEpoch();
  std::chrono::milliseconds Interval() const;
  std::chrono::milliseconds Jittered(std::chrono::milliseconds time) const;
  void AnswerUntold();

  Context& context_;
  const crypto::TransportKey& transport_key_;
  Renewal renewal_;
  Line home_;
  std::optional<Line> away_;
  Line* current_ = nullptr;  // that welcomed us
  api::TreePlace place_;
  std::string message_ = "not connected yet";
  std::optional<std::int64_t> clock_ahead_;

  Timers::Id beat_ = 0;
  Timers::Id silence_ = 0;
  bool parent_rooted_ = true;
  std::int64_t pulse_ = 0;
  std::chrono::milliseconds pulse_at_{0};
  std::chrono::milliseconds rooted_at_{0};

  Timers::Id others_ = 0;
  std::size_t next_other_ = 0;
  int rounds_ = 0;

  bool saying_hello_ = false;                  // sent, not answered yet
  bool hello_stale_ = false;                   // data sets changed after the hello under way was written
  std::vector<std::function<void()>> untold_;  // who waits to hear that the parent knows of them
  std::vector<std::function<void()>> connected_;
  std::vector<std::function<void(const std::string&, std::chrono::milliseconds)>> beats_;
  std::vector<std::function<void(const api::TreePlace&)>> placed_;
  std::vector<std::function<void(const api::TrustNews&)>> news_;
  std::function<std::vector<api::DatasetSummary>()> datasets_;
};

}  // namespace ote::agent
