// Commands of agents above: each executed at most once, and what became of it told until its issuer has it.
//
// What was taken is on disk before it is acknowledged and is known again until well after its deadline, so that one
// that comes twice is answered and not executed twice. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/backoff.h"
#include "agent/commands/bus.h"
#include "agent/commands/rows.h"
#include "agent/context.h"
#include "agent/uplink.h"
#include "core/api/command_requests.h"

namespace ote::agent {

class Inbox {
 public:
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::size_t kMostResult = 256 << 10;
  static constexpr std::size_t kMostUntold = 4'096;  // under way, or over and not told; more are refused
  static constexpr std::size_t kMostTold = 8'192;    // remembered
  static constexpr std::size_t kMostTelling = 16;    // at the same time
  static constexpr UnixMillis kRemembered = 7LL * 24 * 3600 * 1000;    // after the deadline and after it was over
  static constexpr UnixMillis kLongestKept = 90LL * 24 * 3600 * 1000;  // whatever its issuer knows

  // Takes an outcome of what this cluster issued to itself.
  using Local = std::function<Result<void>(const api::CommandOutcome&, std::function<void(Result<void>)> kept)>;
  Inbox(Context& context, Uplink& uplink, Local local);
  ~Inbox();

  // Loads what there is; once the agent runs, goes on with what was under way.
  Result<void> Start();
  // Asked before each command is executed, and told of each that is over.
  struct Warden {
    std::function<Result<void>(const api::Command&)> may;
    std::function<void(const api::Command&, const Error*)> ran;
  };
  void SetWarden(Warden warden) { warden_ = std::move(warden); }
  void Handle(std::string_view verb, bool repeatable,
              std::function<void(const api::Command&, CommandBus::Done)> execute);

  // On disk before it returns; executed soon after, once. The outcome that there is when it was taken before. kBusy.
  Result<api::CommandOutcome> Take(const api::Command& command);

  std::vector<api::CommandView> View(const api::CommandQuery& query) const;
  std::int64_t refused() const noexcept { return refused_; }
  std::int64_t forgotten() const noexcept { return forgotten_; }

 private:
  struct Handler {
    bool repeatable = false;
    std::function<void(const api::Command&, CommandBus::Done)> execute;
  };
  void TakeUp();
  void Execute(const std::string& key);
  void Finish(const std::string& key, Result<Json> result);
  void Close(const std::string& key, api::CommandOutcome outcome);
  void Tell();
  void TellAgain();
  void Told(const std::string& key, const Result<void>& answer);
  void Settle();
  void Prune();

  Context& context_;
  Uplink& uplink_;
  Local local_;
  Warden warden_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Handler, std::less<>> handlers_;
  std::map<std::string, TakenRow> taken_;  // by key
  std::set<std::string> untold_;           // keys of those whose issuer does not have the outcome
  std::set<std::string> telling_;
  std::set<std::string> resting_;  // not taken by their issuer just now; tried again with `again_`
  std::set<std::string> settled_;  // told, and not yet written as such
  Backoff backoff_;
  Timers::Id again_ = 0;
  Timers::Id settle_ = 0;
  std::int64_t refused_ = 0;
  std::int64_t forgotten_ = 0;
};

}  // namespace ote::agent
