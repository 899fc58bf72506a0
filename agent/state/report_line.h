// Reports the state of this cluster and of those below it to the parent: one batch at a time, the next one as soon as
// that is answered, and nothing when nothing changed. With each new link it says where every source is, and the answer
// says what is missing. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/backoff.h"
#include "agent/context.h"
#include "agent/uplink.h"
#include "core/api/state.h"
#include "core/tree/state_feed.h"

namespace ote::agent {

class ReportLine {
 public:
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::size_t kMostBatch = 256 << 10;  // bytes, about; one thing may be larger
  static constexpr std::size_t kMostSources = 1'000;    // in one batch
  static constexpr int kMostWhole = 3;  // whole reports in a row that did not help, before there is a pause

  struct Source {
    const tree::StateFeed* feed = nullptr;
    std::int64_t dropped = 0;
  };
  // What is to be reported of a cluster; nullopt when it is not for this agent to report.
  using Find = std::function<std::optional<Source>(const std::string& cluster)>;
  // All that are to be reported.
  using All = std::function<std::vector<std::string>()>;
  ReportLine(Context& context, Uplink& uplink, Find find, All all);
  ~ReportLine();

  void Start();
  // Something of it changed.
  void Touched(const std::string& cluster);
  void Forget(const std::string& cluster);

 private:
  struct Sent {
    bool known = false;  // where the parent is with it
    std::int64_t at = 0;
    bool full = false;  // a whole report is under way, up to `at`
    int wholes = 0;     // in a row
    bool queued = false;
  };
  void Connected();
  void Queue(const std::string& cluster);
  void PumpSoon();
  void Pump();
  void Answered(const api::StateReport& report, const Result<wire::Envelope>& answer);
  void Take(const api::SourceReport& report, const api::SourceAck& ack);
  void Rest(const std::string& cluster);
  void RestTimer();

  Context& context_;
  Uplink& uplink_;
  Find find_;
  All all_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Sent> sent_;
  std::deque<std::string> queue_;
  std::set<std::string> resting_;  // queued again after a pause
  bool asking_ = false;
  std::uint64_t session_ = 0;  // of the link
  Backoff backoff_;
  Timers::Id soon_ = 0;
  Timers::Id rest_ = 0;
};

}  // namespace ote::agent
