// Commands that were issued here: on disk before they are promised, sent until they are taken, and what became of them.
//
// Those for one cluster go to it one after the other, in the order in which they were issued. What an outcome was last
// is on disk before a listener or the cluster hears that it is known. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/backoff.h"
#include "agent/commands/bus.h"
#include "agent/commands/rows.h"
#include "agent/context.h"
#include "agent/members.h"
#include "core/api/command_requests.h"

namespace ote::agent {

class Outbox {
 public:
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::size_t kMostBody = 512 << 10;
  static constexpr std::size_t kMostResult = 256 << 10;
  static constexpr std::int64_t kMostOpen = 200'000;      // outcomes that are not over
  static constexpr std::size_t kMostLate = 100;           // orders that wait for clusters to come
  static constexpr std::int64_t kMostOutcomes = 200'000;  // of orders that are over, and kept
  static constexpr UnixMillis kLongestKept = 30LL * 24 * 3600 * 1000;

  struct Limits {
    std::size_t waiting = 1'000;  // for one cluster
    std::size_t over = 1'000;     // orders that are over, and kept
  };
  // Executes here what is for this cluster itself.
  using Local = std::function<Result<api::CommandOutcome>(const api::Command&)>;
  Outbox(Context& context, Members& members, Local local);
  ~Outbox();

  Result<void> Start();
  Result<std::string> Issue(const CommandBus::Order& order, const std::vector<std::string>& clusters);
  std::vector<api::CommandOutcome> OutcomesOf(const std::string& id) const;
  void OnOutcome(std::function<void(const api::CommandOutcome&)> fn) { listeners_.push_back(std::move(fn)); }

  // What an executing cluster tells. kCommandUnknown. `kept` is called once it is on disk, or could not be written.
  using Kept = std::function<void(Result<void>)>;
  Result<void> Learn(const api::CommandOutcome& outcome, Kept kept = {});

  std::vector<api::CommandView> View(const api::CommandQuery& query) const;
  // How many of a cluster's are in each phase.
  std::map<std::string, std::int64_t> PhasesOf(const std::string& cluster) const;
  void SetLimits(Limits limits) { limits_ = limits; }
  std::int64_t refused() const noexcept { return refused_; }
  std::int64_t forgotten() const noexcept { return forgotten_; }

 private:
  struct Entry {
    OrderRow row;
    std::map<std::string, api::CommandOutcome> outcomes;  // by cluster
    std::int64_t open = 0;
  };
  // What waits to be taken by one cluster.
  struct Lane {
    std::deque<std::string> ids;
    bool asking = false;
    std::uint64_t serial = 0;  // of what is asked
    Backoff backoff;
    Timers::Id timer = 0;
  };
  using Key = std::pair<std::string, std::string>;  // order, cluster

  // Not yet known to be taken.
  static bool Waits(api::CommandPhase phase) noexcept {
    return phase == api::CommandPhase::kQueued || phase == api::CommandPhase::kSent;
  }

  Result<void> CheckRoom(const CommandBus::Order& order, const std::vector<std::string>& clusters);
  std::vector<api::CommandOutcome> Replaced(const CommandBus::Order& order, const std::vector<std::string>& clusters,
                                            const std::string& by) const;
  void Index(const Entry& entry);
  bool LateNow(const Entry& entry) const;
  void StopLate(const std::string& key);
  api::CommandOutcome Fresh(const std::string& id, const std::string& cluster) const;
  void Pump(const std::string& cluster);
  void Ask(const std::string& cluster, Lane& lane, const Entry& entry);
  void Answered(const std::string& cluster, const std::string& id, std::uint64_t serial,
                const Result<api::CommandOutcome>& answer);
  void Later(const std::string& cluster, Lane& lane);
  void AskAfter(const std::string& cluster);
  void AnsweredAfter(const std::string& cluster, const std::string& id, const Result<api::CommandOutcome>& answer);
  // Takes it over in memory, to be written with the next Flush.
  void Change(Entry& entry, api::CommandOutcome outcome);
  void Flush();
  void FlushSoon();
  void Leave(const std::string& cluster, const std::string& id);
  void MemberChanged(const api::Cluster& cluster, bool removed);
  void Expire();
  void WatchDeadlines();
  void Settled(const Entry& entry);
  void Prune();

  Context& context_;
  Members& members_;
  Local local_;
  Limits limits_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Entry> orders_;
  std::map<std::int64_t, std::string> by_number_;
  std::map<std::string, std::string> by_request_;
  std::set<std::pair<UnixMillis, std::string>> deadlines_;  // that have not passed
  std::set<std::int64_t> late_;                             // numbers of orders that wait for clusters to come
  std::set<std::int64_t> over_;                             // numbers of those that are over
  std::int64_t over_outcomes_ = 0;                          // of these
  std::map<std::string, Lane> lanes_;
  std::map<std::string, std::set<std::string>> taken_;  // by cluster: acknowledged, and not known to be over
  std::set<Key> asked_after_;
  std::uint64_t next_serial_ = 1;
  std::int64_t open_ = 0;
  std::int64_t refused_ = 0;
  std::int64_t forgotten_ = 0;
  std::set<Key> unsaved_;
  std::vector<api::CommandOutcome> news_;  // for the listeners, once it is on disk
  std::vector<Kept> waiting_;
  std::vector<std::function<void(const api::CommandOutcome&)>> listeners_;
  Timers::Id flush_ = 0;
  Timers::Id deadline_ = 0;
};

}  // namespace ote::agent
