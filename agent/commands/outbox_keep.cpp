// What became of commands, and for how long it is kept.
#include <fmt/format.h>

#include <algorithm>

#include "agent/commands/outbox.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::chrono::milliseconds kLongestWait{3'600'000};  // the calendar may jump meanwhile
constexpr std::chrono::milliseconds kTryWritingAgain{5'000};

}  // namespace

using api::CommandPhase;
using std::chrono::milliseconds;

Result<void> Outbox::Learn(const api::CommandOutcome& outcome, Kept kept) {
  const auto it = orders_.find(outcome.id);
  const auto known = it == orders_.end() ? std::map<std::string, api::CommandOutcome>::iterator()
                                         : it->second.outcomes.find(outcome.cluster);
  if (it == orders_.end() || known == it->second.outcomes.end()) {
    return Fail(ErrorId::kCommandUnknown, fmt::format("{} for {}: not issued here", outcome.id, outcome.cluster));
  }
  const auto before = known->second.phase;
  // What the cluster did counts, also when its word comes after the deadline.
  const bool news = outcome.phase == CommandPhase::kAcknowledged ? Waits(before)
                    : outcome.Over()
                        ? !known->second.Over() || (before == CommandPhase::kExpired && before != outcome.phase)
                        : false;
  if (news) {
    auto taken = outcome;
    taken.issuer = context_.membership.name;
    taken.at = context_.clock.WallNow();
    if (DumpCbor(taken.result).size() > kMostResult) {
      taken.result = Json::object();
      taken.message = "its result is too large to be kept";
    }
    Change(it->second, std::move(taken));
  }
  if (Waits(before)) Leave(outcome.cluster, outcome.id);
  if (kept) waiting_.push_back(std::move(kept));
  FlushSoon();
  return {};
}

void Outbox::Change(Entry& entry, api::CommandOutcome outcome) {
  auto& known = entry.outcomes.at(outcome.cluster);
  const int closed = (outcome.Over() ? 1 : 0) - (known.Over() ? 1 : 0);
  entry.open -= closed;
  open_ -= closed;
  unsaved_.emplace(outcome.id, outcome.cluster);
  if (outcome.phase == CommandPhase::kAcknowledged) {
    taken_[outcome.cluster].insert(outcome.id);
  } else if (const auto taken = taken_.find(outcome.cluster); taken != taken_.end()) {
    taken->second.erase(outcome.id);
    if (taken->second.empty()) taken_.erase(taken);
  }
  news_.push_back(outcome);
  known = std::move(outcome);
  Settled(entry);
  FlushSoon();
}

void Outbox::FlushSoon() {
  if (flush_ == 0) flush_ = context_.timers.At(context_.clock.SteadyNow(), [this] { Flush(); });
}

void Outbox::Flush() {
  flush_ = 0;
  const auto written = unsaved_.empty() ? Result<void>() : context_.store.Transaction([this]() -> Result<void> {
    for (const auto& [id, cluster] : unsaved_) {
      const auto it = orders_.find(id);
      if (it != orders_.end()) OTE_CHECK(context_.store.Put(OutcomeRow{it->second.outcomes.at(cluster)}));
    }
    return {};
  });
  const auto waiting = std::exchange(waiting_, {});
  if (!written) {
    log::Error("outcomes not written", {{"why", written.error().message}});
    flush_ = context_.timers.At(context_.clock.SteadyNow() + kTryWritingAgain, [this] { Flush(); });
    for (const auto& kept : waiting) kept(written);
    return;
  }
  const bool any = !std::exchange(unsaved_, {}).empty();
  const auto news = std::exchange(news_, {});
  for (const auto& kept : waiting) kept({});
  for (const auto& outcome : news) {
    for (const auto& listener : listeners_) listener(outcome);
  }
  if (any) Prune();
}

void Outbox::Expire() {
  const auto now = context_.clock.WallNow();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    auto& entry = orders_.at(id);
    late_.erase(entry.row.number);
    std::vector<api::CommandOutcome> open;
    for (const auto& [cluster, outcome] : entry.outcomes) {
      if (!outcome.Over()) open.push_back(outcome);
    }
    for (auto& outcome : open) {
      const auto cluster = outcome.cluster;
      const bool taken = outcome.phase == CommandPhase::kAcknowledged;
      outcome.phase = CommandPhase::kExpired;
      outcome.at = now;
      outcome.code = Error{ErrorId::kCommandExpired, {}, {}}.Code();
      outcome.message = taken ? "taken, and not known to be done by its deadline" : "not taken by its deadline";
      Change(entry, std::move(outcome));
      Leave(cluster, id);
      Pump(cluster);
    }
    Settled(entry);
  }
  WatchDeadlines();
}

void Outbox::WatchDeadlines() {
  context_.timers.Cancel(deadline_);
  deadline_ = 0;
  if (deadlines_.empty()) return;
  const auto left = std::max<UnixMillis>(deadlines_.begin()->first - context_.clock.WallNow(), 0);
  deadline_ =
      context_.timers.At(context_.clock.SteadyNow() + std::min(kLongestWait, milliseconds(left)), [this] { Expire(); });
}

// Counts it among those that are over, once it is.
void Outbox::Settled(const Entry& entry) {
  if (entry.open > 0 || LateNow(entry) || !over_.insert(entry.row.number).second) return;
  over_outcomes_ += static_cast<std::int64_t>(entry.outcomes.size());
}

void Outbox::Prune() {
  const auto now = context_.clock.WallNow();
  std::vector<std::int64_t> gone;  // the oldest first
  std::int64_t outcomes = over_outcomes_;
  for (const auto number : over_) {
    const auto& entry = orders_.at(by_number_.at(number));
    const auto since = std::max(entry.row.command.issued_at, entry.row.command.deadline);
    const bool many = over_.size() - gone.size() > limits_.over || outcomes > kMostOutcomes;
    if (!many && since + kLongestKept >= now) break;
    outcomes -= static_cast<std::int64_t>(entry.outcomes.size());
    gone.push_back(number);
  }
  if (gone.empty()) return;
  const auto removed = context_.store.Transaction([&]() -> Result<void> {
    for (const auto number : gone) {
      const auto& id = by_number_.at(number);
      for (const auto& [cluster, outcome] : orders_.at(id).outcomes) {
        OTE_CHECK(context_.store.Remove<OutcomeRow>(OutcomeRow{outcome}.Key()));
      }
      OTE_CHECK(context_.store.Remove<OrderRow>(id));
    }
    return {};
  });
  if (!removed) return log::Warn("old commands not removed", {{"why", removed.error().message}});
  over_outcomes_ = outcomes;
  for (const auto number : gone) {
    const auto id = by_number_.at(number);
    const auto& row = orders_.at(id).row;
    deadlines_.erase({row.command.deadline, id});
    by_request_.erase(row.request_id);
    by_number_.erase(number);
    over_.erase(number);
    orders_.erase(id);
    ++forgotten_;
  }
}

}  // namespace ote::agent
