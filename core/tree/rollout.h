// A new revision on its way to the clusters of an app, by waves. Pure: events in, actions out; no clock of its own.
//
// The state is api::Rollout, plain data that is kept; whoever was killed makes a machine from it and goes on. The times
// are the calendar's, since they outlive the process.
//
//   - Those that the canary selector matches go first; the others wait until each of them that is there is healthy.
//   - At most maxUnavailable clusters that are there are without the revision's health at a time.
//   - A cluster that is away is pending: it blocks nothing, and catches up when it returns, within the same bound.
//   - So is one that is reached by files; what it was told last is a file that may not have reached it yet.
//   - One that is not healthy within healthTimeout of being told while it is there, or that says that it failed, stops
//     the rollout; those that have the revision keep it until whoever reads kFailed says otherwise.
#pragma once

#include <string>
#include <vector>

#include "core/api/app_record.h"

namespace ote::tree {

struct RolloutAction {
  enum class Kind {
    kSend,    // tell `cluster` to run the revision that is wanted
    kUnset,   // tell `cluster` to give the app up
    kDone,    // every cluster that is there is healthy with the revision, and there was one
    kFailed,  // the rollout stopped: `why`
    kWake     // call Step again at `at`
  };
  Kind kind = Kind::kSend;
  std::string cluster;
  std::string why;
  UnixMillis at = 0;
  friend bool operator==(const RolloutAction&, const RolloutAction&) = default;
};

class RolloutMachine {
 public:
  // Works on `state`, which must outlive it.
  explicit RolloutMachine(api::Rollout& state) : state_(state) {}

  struct Site {
    std::string cluster;
    bool online = false;
    bool canary = false;
  };
  // A revision is wanted from now on. Clusters that have another one keep it until their turn.
  void Begin(std::int64_t revision, const api::RolloutSpec& spec);
  // The clusters that are to have the app: others give it up. Also tells who is there; called again at each change.
  void SetSites(const std::vector<Site>& sites);
  // What a cluster tells of itself.
  void Tell(const std::string& cluster, const api::AppStatus& status);
  // It could not be told, or would not take it.
  void Refused(const std::string& cluster, std::int64_t revision, const std::string& why);
  // It has given the app up.
  void Left(const std::string& cluster);
  // A file tells it to run `revision`, or, one that is leaving, to give the app up: it may from now on, and pending or
  // leaving it stays until it says so.
  void Carried(const std::string& cluster, std::int64_t revision);
  // One that was told by files says that it does not have the app.
  void Without(const std::string& cluster);
  // One that was told by files has a line by now: what is to be told goes over it.
  void Connected(const std::string& cluster);

  // What is to be done now.
  std::vector<RolloutAction> Step(UnixMillis now);

 private:
  void Judge(UnixMillis now, std::vector<RolloutAction>& actions);
  void Send(UnixMillis now, std::vector<RolloutAction>& actions);

  api::Rollout& state_;
};

}  // namespace ote::tree
