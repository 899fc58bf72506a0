// Apps that are deployed from this agent: what is wanted, on which clusters, and how far it is. Serves app.* but for
// the logs, and drives the clusters by durable commands.
//
// A revision is in the store before it is answered for; a command is issued after the state that says so, under a
// number that the state holds, so that a killed agent issues it again and nothing is done twice. Where apps go is
// thought over again when a cluster comes, goes, is drained, changes its labels, or tells of another capacity. One
// thread.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/apps/carried_app.h"
#include "agent/apps/site_desk.h"
#include "agent/commands/bus.h"
#include "agent/context.h"
#include "agent/members.h"
#include "agent/state/board.h"
#include "core/api/app_requests.h"
#include "core/tree/placement.h"
#include "core/tree/rollout.h"

namespace ote::agent {

class AppDesk {
 public:
  // What a cluster below may fetch from here.
  struct Grants {
    std::function<void(const std::string& cluster, const std::string& digest)> grant;
    std::function<void(const std::string& cluster, const std::string& digest)> revoke;
  };
  static constexpr std::chrono::milliseconds kDiffPatience{8'000};
  static constexpr std::size_t kMostDiffs = 32;
  static constexpr std::size_t kMostPlanned = 1'000;           // clusters in an answer to app.plan
  static constexpr std::chrono::milliseconds kBreath{50};      // in which changes are told together
  static constexpr std::chrono::milliseconds kRepeat{15'000};  // a view is told again, to find out who has gone
  static constexpr std::chrono::milliseconds kGiveUp{10'000};  // for one who takes nothing
  static constexpr std::size_t kMostWatchers = 64;

  // `site` is nullptr on an agent without a shim. All must outlive it.
  AppDesk(Context& context, Members& members, CommandBus& bus, StateBoard& board, SiteDesk* site, Grants grants);
  ~AppDesk();

  // Registers the verbs and goes on where it was.
  Result<void> Start();
  // Artifacts that the revisions name.
  std::set<std::string> Needed() const;
  // The clusters that are to have an app that a person calls `name`, and what it goes by there.
  struct Place {
    std::string cluster;
    std::string key;
  };
  Result<std::vector<Place>> PlacesOf(const std::string& name) const;
  // By name: the clusters that have an app, and those that a revision of it that is kept may go to (`now` among them).
  struct Reached {
    std::vector<std::string> now;
    std::vector<std::string> ever;
  };
  Reached ReachOf(const std::string& name) const;

  // Of clusters that are reached by files (app_carried.cpp). What one is to have of an app: nothing is for giving it
  // up. kAppUnknown, kNotFound; kConflict while nobody else would be told.
  struct Wanted {
    std::int64_t revision = 0;
    std::optional<api::Assignment> assignment;
  };
  Result<Wanted> WantedAt(const std::string& app, const std::string& cluster) const;
  // What was exported last, and what came back; nullptr for nothing. Valid until the next change.
  const CarriedApp* CarriedOf(const std::string& app, const std::string& cluster) const;
  // On disk before it returns, together with what it says of the rollout and with what `also` writes.
  Result<void> KeepCarried(CarriedApp row, const std::function<Result<void>()>& also = {});
  // The same under the next of `numbers`.
  Result<void> KeepNumbered(CarriedApp row, std::string_view numbers);

  std::size_t Watchers() const noexcept { return watchers_.size(); }

 private:
  struct Live {
    api::App record;
    std::map<std::string, std::set<std::string>> granted;  // by cluster
    Timers::Id wake = 0;
    std::string short_of;  // fewer clusters than wanted can have it
  };
  struct Order {  // what was issued, by the id of the command
    std::string app;
    std::string cluster;
    std::int64_t revision = 0;
    bool unset = false;
    std::int64_t number = 0;
  };
  struct Watcher {
    Request request;
    std::string name;
    Timers::Id timer = 0;
    std::optional<std::chrono::milliseconds> stuck_since;
  };
  struct Diffing {
    Request request;
    api::AppDiff diff;
    std::map<std::string, std::size_t> waits;  // command -> place in diff.clusters
    Timers::Id timer = 0;
  };
  using WatcherPlace = std::list<Watcher>::iterator;

  Result<api::AppView> Deploy(const Request& request, const api::DeployRequest& body);
  Result<api::AppView> DeployOver(const Request& request, const api::DeployRequest& body);
  Result<api::AppPlan> Plan(const api::DeployRequest& body);
  Result<api::AppView> Rollback(const Request& request, const api::RollbackRequest& body);
  Result<api::AppView> Remove(const Request& request, const api::AppTarget& body);
  void Restart(Request request, const api::AppTarget& body);
  void Diff(Request request);
  void FinishDiff(const std::shared_ptr<Diffing>& diffing);
  Result<api::AppView> Show(const api::AppShowRequest& asked, const Sees& sees, const std::string& who) const;
  api::AppList List() const;
  Result<void> Check(const api::AppSpec& spec) const;
  std::string ByOf(const Request& request) const;

  // Makes `spec` the revision that is wanted; on disk before it returns.
  Result<void> Revise(Live& live, api::AppSpec spec, const std::string& by, const std::string& note,
                      const std::string& request_id, const api::RolloutSpec& rollout);
  std::vector<tree::Candidate> Candidates(const std::string& app) const;
  void Soon(const std::string& app);
  void SoonAll();
  void DriveDirty();
  bool SomeAway(const api::App& record) const;
  void Drive(const std::string& name);
  void Ended(Live& live, const tree::RolloutAction& action);
  void Issue(Live& live, const std::string& cluster);
  void Allow(Live& live, const std::string& cluster);
  void TakeOutcome(const api::CommandOutcome& outcome);
  void Wake(Live& live, const std::string& name, UnixMillis at);
  std::optional<api::AppStatus> StatusOf(const std::string& app, const std::string& cluster) const;
  bool Online(const std::string& cluster) const;
  // A member that is reached by files, and has no line now.
  bool ByHand(const std::string& cluster) const;
  api::Assignment AssignmentOf(const api::App& record, const api::AppRevision& revision) const;
  void ForgetCarried(const std::string& cluster);
  // Of those that are to give the app up by a file: who is no member any more, or has a line again.
  void Released(tree::RolloutMachine& machine, const api::Rollout& rollout) const;
  void ShowCarried(const api::App& record, const api::RolloutSite& site, api::AppSiteView& shown) const;
  bool Self(const std::string& cluster) const { return cluster == context_.membership.name; }
  api::AppView ViewOf(const Live& live, bool full) const;
  api::AppView PageOf(const Live& live, const api::AppShowRequest& asked, const Sees& sees) const;
  // How many of its clusters `sees` lets through; nullopt where that is all.
  std::optional<api::AppShare> ShareOf(const Live& live, const Sees& sees, const std::string& who) const;
  api::AppSiteView SiteViewOf(const Live& live, const std::string& cluster, const api::RolloutSite& site) const;

  void Watch(Request request);
  void TellWatchers(const std::string& name);
  void Tell(WatcherPlace watcher);
  void TellLater(WatcherPlace watcher, std::chrono::milliseconds pause);
  void Drop(WatcherPlace watcher, const Error& why);

  Context& context_;
  Members& members_;
  CommandBus& bus_;
  StateBoard& board_;
  SiteDesk* site_;
  Grants grants_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<std::string, Live> apps_;
  std::map<std::string, CarriedApp> carried_;
  std::map<std::string, Order> orders_;
  std::map<std::string, std::shared_ptr<Diffing>> diffs_;  // by command
  std::set<std::string> dirty_;
  Timers::Id drive_ = 0;
  std::chrono::milliseconds quiet_until_{0};  // after a start, clusters are given the time to come back
  std::list<Watcher> watchers_;
};

}  // namespace ote::agent
