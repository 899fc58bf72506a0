// What this cluster tells of itself, and what those below it told: in memory, on disk a little later, and on its way up
// (report_line.h). Serves state.report.
//
// On disk it may be a few seconds behind, so that a thing that changes often is not written each time. Nothing is lost
// by that: after a crash the numbers and digests show what is to be told again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/state/board.h"
#include "agent/state/distance.h"
#include "agent/state/report_line.h"
#include "core/base/log.h"
#include "core/tree/state_feed.h"

namespace ote::agent {

class State final : public StateBoard {
 public:
  static constexpr std::size_t kMostEvents = 100;
  static constexpr std::chrono::milliseconds kWriteAfter{3'000};

  State(Context& context, Members& members, Uplink& uplink);
  ~State() override;

  // Loads what there is and registers the verb; after Members::Start.
  Result<void> Start();

  // A value that is too large or one too many is left out, and logged. Of events the oldest makes room.
  void Set(std::string_view kind, const std::string& name, Json value) override;
  void Remove(std::string_view kind, const std::string& name) override;
  std::map<std::string, Json> List(const std::string& cluster, std::string_view kind) const override;
  UnixMillis FreshAt(const std::string& cluster) const override;
  void OnChange(Changed fn) override { listeners_.push_back(std::move(fn)); }

  // Events of a cluster that made room for newer ones, ever.
  std::int64_t EventsDropped(const std::string& cluster) const;
  // What state.report does, for one source that `child` tells of.
  api::SourceAck Take(const std::string& child, const api::SourceReport& report);

 private:
  struct Source {
    tree::StateFeed feed;
    std::string via;       // the child that reports it; "" for this cluster
    bool current = false;  // whole since this agent started, as far as it was heard of
    UnixMillis fresh_at = 0;
    std::int64_t dropped = 0;
  };
  Source& Own() { return sources_.at(context_.membership.name); }
  Result<void> Load();
  void DropEvents();
  void OwnChanged(const tree::StateKey& key);
  void Notify(const std::string& cluster, const std::vector<tree::StateKey>& keys);
  void MemberChanged(const api::Cluster& cluster, bool removed);
  void ReportedBy(const std::string& cluster, Source& source, const std::string& via);
  void Drop(const std::string& cluster);
  void WriteSoon(const std::string& cluster);
  void Write();
  Result<void> WriteSource(const std::string& cluster, const std::set<tree::StateKey>& keys);
  std::optional<ReportLine::Source> Reported(const std::string& cluster) const;

  Context& context_;
  Members& members_;
  std::map<std::string, Source> sources_;
  std::map<std::string, std::set<std::string>> by_via_;  // Source::via, the other way round
  std::deque<std::string> events_;                       // names of this cluster's, the oldest first
  ReportLine line_;
  Distance distance_;
  std::vector<Changed> listeners_;
  std::set<std::string> unwritten_;  // sources
  Timers::Id write_ = 0;
  log::Limiter limiter_;
};

}  // namespace ote::agent
