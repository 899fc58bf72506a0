#include "agent/commands/outbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/tree/selector.h"
#include "crypto/digest.h"

namespace ote::agent {
namespace {

using api::CommandPhase;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{3'600'000};  // the calendar may jump meanwhile
constexpr milliseconds kTryWritingAgain{5'000};

Bytes ContentOf(const CommandBus::Order& order, std::vector<std::string> clusters) {
  std::sort(clusters.begin(), clusters.end());
  const Json content = {{"verb", order.verb},         {"body", order.body},         {"by", order.by},
                        {"ttl", order.ttl.count()},   {"replaces", order.replaces}, {"late", order.late},
                        {"selector", order.selector}, {"clusters", clusters}};
  const auto digest = crypto::DigestOf(DumpCbor(content));
  return {digest.bytes.begin(), digest.bytes.end()};
}

// Not yet known to be taken.
bool Waits(CommandPhase phase) { return phase == CommandPhase::kQueued || phase == CommandPhase::kSent; }

}  // namespace

Outbox::Outbox(Context& context, Members& members, Local local)
    : context_(context), members_(members), local_(std::move(local)) {}

Outbox::~Outbox() {
  context_.timers.Cancel(flush_);
  context_.timers.Cancel(deadline_);
  for (auto& [cluster, lane] : lanes_) context_.timers.Cancel(lane.timer);
}

Result<void> Outbox::Start() {
  OTE_TRY(auto rows, context_.store.List<OrderRow>());
  for (auto& row : rows) {
    const auto id = row.command.id;
    by_number_[row.number] = id;
    if (!row.request_id.empty()) by_request_[row.request_id] = id;
    orders_[id].row = std::move(row);
  }
  OTE_TRY(auto outcomes, context_.store.List<OutcomeRow>());
  for (auto& [outcome] : outcomes) {
    const auto it = orders_.find(outcome.id);
    if (it == orders_.end()) continue;
    if (!outcome.Over()) ++it->second.open, ++open_;
    it->second.outcomes.emplace(outcome.cluster, std::move(outcome));
  }
  for (const auto& [number, id] : by_number_) {
    for (const auto& [cluster, outcome] : orders_.at(id).outcomes) {
      if (Waits(outcome.phase)) lanes_[cluster].ids.push_back(id);
    }
  }
  members_.OnChange([this](const api::Cluster& cluster, bool removed) { MemberChanged(cluster, removed); });
  Expire();
  Prune();
  if (lanes_.contains(context_.membership.name)) Pump(context_.membership.name);
  return {};
}

Result<void> Outbox::CheckRoom(const CommandBus::Order& order, const std::vector<std::string>& clusters) {
  const auto refuse = [this](std::string why) {
    ++refused_;
    return Fail(ErrorId::kBusy, std::move(why), "ote cluster commands");
  };
  if (open_ + static_cast<std::int64_t>(clusters.size()) > kMostOpen) {
    return refuse(fmt::format("{}: {} commands wait for clusters already", order.verb, open_));
  }
  for (const auto& cluster : clusters) {
    const auto lane = lanes_.find(cluster);
    if (lane != lanes_.end() && lane->second.ids.size() >= limits_.waiting) {
      return refuse(fmt::format("{}: {} commands wait for {} already", order.verb, limits_.waiting, cluster));
    }
  }
  if (order.late && std::ranges::count_if(orders_, [this](const auto& e) { return LateNow(e.second); }) >= kMostLate) {
    return refuse(fmt::format("{}: {} commands wait for clusters to join already", order.verb, kMostLate));
  }
  return {};
}

std::vector<api::CommandOutcome> Outbox::Replaced(const CommandBus::Order& order,
                                                  const std::vector<std::string>& clusters,
                                                  const std::string& by) const {
  std::vector<api::CommandOutcome> replaced;
  if (order.replaces.empty()) return replaced;
  for (const auto& cluster : clusters) {
    const auto lane = lanes_.find(cluster);
    if (lane == lanes_.end()) continue;
    for (const auto& id : lane->second.ids) {
      const auto& entry = orders_.at(id);
      const auto& outcome = entry.outcomes.at(cluster);
      if (entry.row.command.replaces != order.replaces || outcome.phase != CommandPhase::kQueued) continue;
      if (lane->second.asking && id == lane->second.ids.front()) continue;
      auto after = outcome;
      after.phase = CommandPhase::kExpired;
      after.at = context_.clock.WallNow();
      after.message = fmt::format("{} took its place before it was sent", by);
      replaced.push_back(std::move(after));
    }
  }
  return replaced;
}

api::CommandOutcome Outbox::Fresh(const std::string& id, const std::string& cluster) const {
  api::CommandOutcome outcome;
  outcome.id = id;
  outcome.issuer = context_.membership.name;
  outcome.cluster = cluster;
  outcome.at = context_.clock.WallNow();
  return outcome;
}

Result<std::string> Outbox::Issue(const CommandBus::Order& order, const std::vector<std::string>& wanted) {
  auto clusters = wanted;
  std::sort(clusters.begin(), clusters.end());
  clusters.erase(std::unique(clusters.begin(), clusters.end()), clusters.end());
  const auto content = ContentOf(order, clusters);
  if (const auto known = by_request_.find(order.request_id); !order.request_id.empty() && known != by_request_.end()) {
    if (orders_.at(known->second).row.content == content) return known->second;
    return Fail(ErrorId::kConflict, fmt::format("request {}: it came with another order before", order.request_id));
  }
  if (order.late) OTE_CHECK(tree::Selector::Parse(order.selector));
  if (clusters.empty() && !order.late) return Fail(ErrorId::kSelectorEmpty, order.verb + ": no cluster is named");
  if (DumpCbor(order.body).size() > kMostBody) {
    return Fail(ErrorId::kInputBadValue, fmt::format("{}: a command of more than {} KiB", order.verb, kMostBody >> 10));
  }
  OTE_CHECK(CheckRoom(order, clusters));

  const auto now = context_.clock.WallNow();
  Entry entry;
  auto& command = entry.row.command;
  command.id = NewId("cmd");
  command.issuer = context_.membership.name;
  command.verb = order.verb;
  command.body = order.body;
  command.by = order.by;
  command.issued_at = now;
  command.deadline = order.ttl.count() > 0 ? now + order.ttl.count() : 0;
  command.replaces = order.replaces;
  entry.row.request_id = order.request_id;
  entry.row.content = content;
  entry.row.late = order.late;
  entry.row.selector = order.late ? order.selector : "";
  for (const auto& cluster : clusters) entry.outcomes.emplace(cluster, Fresh(command.id, cluster));
  entry.open = static_cast<std::int64_t>(clusters.size());
  const auto id = command.id;
  const auto replaced = Replaced(order, clusters, id);
  const auto written = context_.store.Transaction([&]() -> Result<void> {
    OTE_TRY(entry.row.number, context_.store.NextNumber(OrderRow::kKind));
    OTE_CHECK(context_.store.Put(entry.row));
    for (const auto& [cluster, outcome] : entry.outcomes) OTE_CHECK(context_.store.Put(OutcomeRow{outcome}));
    for (const auto& outcome : replaced) OTE_CHECK(context_.store.Put(OutcomeRow{outcome}));
    return {};
  });
  OTE_CHECK(written);
  if (!order.replaces.empty()) StopLate(order.replaces);
  for (const auto& outcome : replaced) {
    Change(orders_.at(outcome.id), outcome);
    Leave(outcome.cluster, outcome.id);
  }
  by_number_[entry.row.number] = id;
  if (!order.request_id.empty()) by_request_[order.request_id] = id;
  open_ += entry.open;
  orders_.emplace(id, std::move(entry));
  for (const auto& cluster : clusters) {
    lanes_[cluster].ids.push_back(id);
    Pump(cluster);
  }
  WatchDeadlines();
  return id;
}

bool Outbox::LateNow(const Entry& entry) const {
  const auto deadline = entry.row.command.deadline;
  return entry.row.late && (deadline == 0 || context_.clock.WallNow() < deadline);
}

void Outbox::StopLate(const std::string& key) {
  for (auto& [id, entry] : orders_) {
    if (!entry.row.late || entry.row.command.replaces != key) continue;
    entry.row.late = false;
    if (auto saved = context_.store.Put(entry.row); !saved) {
      log::Error("command not written", {{"command", id}, {"why", saved.error().message}});
    }
  }
}

std::vector<api::CommandOutcome> Outbox::OutcomesOf(const std::string& id) const {
  std::vector<api::CommandOutcome> outcomes;
  if (const auto it = orders_.find(id); it != orders_.end()) {
    for (const auto& [cluster, outcome] : it->second.outcomes) outcomes.push_back(outcome);
  }
  return outcomes;
}

void Outbox::MemberChanged(const api::Cluster& cluster, bool removed) {
  if (removed) {
    for (auto& [id, entry] : orders_) {
      const auto it = entry.outcomes.find(cluster.name);
      if (it == entry.outcomes.end() || it->second.Over()) continue;
      auto outcome = it->second;
      outcome.phase = CommandPhase::kFailed;
      outcome.at = context_.clock.WallNow();
      outcome.code = Error{ErrorId::kRevoked, {}, {}}.Code();
      outcome.message = fmt::format("{} was removed", cluster.name);
      Change(entry, std::move(outcome));
    }
    if (const auto lane = lanes_.find(cluster.name); lane != lanes_.end()) {
      context_.timers.Cancel(lane->second.timer);
      lanes_.erase(lane);
    }
    return;
  }
  for (const auto& [number, id] : by_number_) {
    auto& entry = orders_.at(id);
    if (!LateNow(entry) || entry.outcomes.contains(cluster.name)) continue;
    const auto selector = tree::Selector::Parse(entry.row.selector);
    if (!selector || !selector->Matches(cluster.name, cluster.labels)) continue;
    const auto outcome = Fresh(id, cluster.name);
    if (auto saved = context_.store.Put(OutcomeRow{outcome}); !saved) {
      log::Error("command not written", {{"command", id}, {"why", saved.error().message}});
      continue;  // with the next change of that member
    }
    entry.outcomes.emplace(cluster.name, outcome);
    ++entry.open;
    ++open_;
    lanes_[cluster.name].ids.push_back(id);
  }
  WatchDeadlines();
  const auto lane = lanes_.find(cluster.name);
  if (lane == lanes_.end() || !members_.WayTo(cluster.name)) return;
  lane->second.backoff.Reset();
  Pump(cluster.name);
}

void Outbox::Pump(const std::string& cluster) {
  const auto it = lanes_.find(cluster);
  if (it == lanes_.end() || it->second.asking) return;
  auto& lane = it->second;
  context_.timers.Cancel(lane.timer);
  lane.timer = 0;
  while (!lane.ids.empty() && !Waits(orders_.at(lane.ids.front()).outcomes.at(cluster).phase)) lane.ids.pop_front();
  if (lane.ids.empty()) {
    lanes_.erase(it);
    return;
  }
  Ask(cluster, lane, orders_.at(lane.ids.front()));
}

void Outbox::Ask(const std::string& cluster, Lane& lane, const Entry& entry) {
  auto command = entry.row.command;
  const auto now = context_.clock.WallNow();
  if (command.deadline != 0) {
    command.ttl_ms = command.deadline - now;
    if (command.ttl_ms <= 0) return;  // Expire is about to take it away
  }
  const auto id = command.id;
  const std::weak_ptr<bool> alive = alive_;
  const bool here = cluster == context_.membership.name;
  const auto way = here ? std::nullopt : members_.WayTo(cluster);
  if (!here && !way) return;  // OnChange tells when there is one
  lane.asking = true;
  lane.serial = next_serial_++;
  if (here) {
    context_.timers.At(context_.clock.SteadyNow(),
                       [this, alive, cluster, serial = lane.serial, command = std::move(command)] {
                         if (alive.lock()) Answered(cluster, command.id, serial, local_(command));
                       });
    return;
  }
  if (auto outcome = entry.outcomes.at(cluster); outcome.phase == CommandPhase::kQueued) {
    // In memory only: after a restart it is sent again, which the other side knows to be the same.
    outcome.phase = CommandPhase::kSent;
    outcome.at = now;
    orders_.at(id).outcomes.at(cluster) = outcome;
    news_.push_back(std::move(outcome));
    FlushSoon();
  }
  context_.rpc.Call(*way, api::verb::kCommandRun, ToJson(command), kPatience,
                    [this, alive, cluster, id, serial = lane.serial](const Result<wire::Envelope>& answer) {
                      if (!alive.lock()) return;
                      if (!answer) return Answered(cluster, id, serial, Fail(answer.error()));
                      Answered(cluster, id, serial, FromWire<api::CommandOutcome>(answer->body));
                    });
}

void Outbox::Answered(const std::string& cluster, const std::string& id, std::uint64_t serial,
                      const Result<api::CommandOutcome>& answer) {
  const auto it = lanes_.find(cluster);
  if (it == lanes_.end() || it->second.serial != serial) return;
  auto& lane = it->second;
  lane.asking = false;
  if (answer) {
    auto outcome = *answer;
    outcome.id = id;
    outcome.cluster = cluster;
    if (Waits(outcome.phase)) outcome.phase = CommandPhase::kAcknowledged;
    lane.backoff.Reset();
    // One that expired meanwhile and was forgotten is none of the errors here.
    if (auto learned = Learn(outcome); !learned) log::Debug("outcome not taken", {{"why", learned.error().message}});
    Leave(cluster, id);
    return Pump(cluster);
  }
  // It may have left the lane before the answer: told by its outcome, or expired.
  if (lane.ids.empty() || lane.ids.front() != id) return Pump(cluster);
  const auto& error = answer.error();
  if (WorthAnotherTry(error)) {
    log::Debug("command not taken yet", {{"command", id}, {"cluster", cluster}, {"why", error.message}});
    return Later(cluster, lane);
  }
  auto outcome = Fresh(id, cluster);
  outcome.phase = CommandPhase::kFailed;
  outcome.code = error.Code();
  outcome.message = error.message;
  outcome.hint = error.hint;
  if (auto& entry = orders_.at(id); !entry.outcomes.at(cluster).Over()) Change(entry, std::move(outcome));
  Leave(cluster, id);
  Pump(cluster);
}

void Outbox::Later(const std::string& cluster, Lane& lane) {
  context_.timers.Cancel(lane.timer);
  lane.timer = context_.timers.At(context_.clock.SteadyNow() + lane.backoff.Next(), [this, cluster] {
    if (const auto it = lanes_.find(cluster); it != lanes_.end()) {
      it->second.timer = 0;
      Pump(cluster);
    }
  });
}

void Outbox::Leave(const std::string& cluster, const std::string& id) {
  const auto it = lanes_.find(cluster);
  if (it == lanes_.end()) return;
  auto& ids = it->second.ids;
  ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
}

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
  news_.push_back(outcome);
  known = std::move(outcome);
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
  for (auto& [id, entry] : orders_) {
    const auto deadline = entry.row.command.deadline;
    if (deadline == 0 || deadline > now || entry.open == 0) continue;
    std::vector<api::CommandOutcome> late;
    for (const auto& [cluster, outcome] : entry.outcomes) {
      if (!outcome.Over()) late.push_back(outcome);
    }
    for (auto& outcome : late) {
      const auto cluster = outcome.cluster;
      const bool taken = outcome.phase == CommandPhase::kAcknowledged;
      outcome.phase = CommandPhase::kExpired;
      outcome.at = now;
      outcome.code = Error{ErrorId::kCommandExpired, {}, {}}.Code();
      outcome.message = taken ? "taken, and not known to be done by its deadline" : "not taken by its deadline";
      Change(entry, std::move(outcome));
      const auto lane = lanes_.find(cluster);
      if (lane != lanes_.end()) Leave(cluster, id);
      Pump(cluster);
    }
  }
  WatchDeadlines();
}

void Outbox::WatchDeadlines() {
  const auto now = context_.clock.WallNow();
  auto wait = kLongestWait;
  bool any = false;
  for (const auto& [id, entry] : orders_) {
    if (entry.row.command.deadline == 0 || entry.open == 0) continue;
    any = true;
    wait = std::min(wait, milliseconds(std::max<UnixMillis>(entry.row.command.deadline - now, 0)));
  }
  context_.timers.Cancel(deadline_);
  deadline_ = 0;
  if (any) deadline_ = context_.timers.At(context_.clock.SteadyNow() + wait, [this] { Expire(); });
}

void Outbox::Prune() {
  const auto now = context_.clock.WallNow();
  std::vector<std::string> over;  // the oldest first
  std::int64_t outcomes = 0;
  for (const auto& [number, id] : by_number_) {
    const auto& entry = orders_.at(id);
    if (entry.open > 0 || LateNow(entry)) continue;
    over.push_back(id);
    outcomes += static_cast<std::int64_t>(entry.outcomes.size());
  }
  std::vector<std::string> gone;
  for (const auto& id : over) {
    const auto& entry = orders_.at(id);
    const bool old =
        entry.row.command.issued_at + kLongestKept < now && entry.row.command.deadline + kLongestKept < now;
    if (!old && over.size() - gone.size() <= limits_.over && outcomes <= kMostOutcomes) continue;
    outcomes -= static_cast<std::int64_t>(entry.outcomes.size());
    gone.push_back(id);
  }
  if (gone.empty()) return;
  const auto removed = context_.store.Transaction([&]() -> Result<void> {
    for (const auto& id : gone) {
      for (const auto& [cluster, outcome] : orders_.at(id).outcomes) {
        OTE_CHECK(context_.store.Remove<OutcomeRow>(OutcomeRow{outcome}.Key()));
      }
      OTE_CHECK(context_.store.Remove<OrderRow>(id));
    }
    return {};
  });
  if (!removed) return log::Warn("old commands not removed", {{"why", removed.error().message}});
  for (const auto& id : gone) {
    const auto& row = orders_.at(id).row;
    by_number_.erase(row.number);
    by_request_.erase(row.request_id);
    orders_.erase(id);
    ++forgotten_;
  }
}

std::vector<api::CommandView> Outbox::View(const api::CommandQuery& query) const {
  std::vector<api::CommandView> views;
  for (auto it = by_number_.rbegin(); it != by_number_.rend(); ++it) {
    const auto& entry = orders_.at(it->second);
    if (!query.id.empty() && query.id != it->second) continue;
    if (!query.cluster.empty() && !entry.outcomes.contains(query.cluster)) continue;
    api::CommandView view;
    view.id = it->second;
    view.issuer = entry.row.command.issuer;
    view.verb = entry.row.command.verb;
    view.by = entry.row.command.by;
    view.issued_at = entry.row.command.issued_at;
    view.deadline = entry.row.command.deadline;
    view.selector = LateNow(entry) ? entry.row.selector : "";
    for (const auto& [cluster, outcome] : entry.outcomes) {
      ++view.phases[std::string(NameOf(outcome.phase))];
      const bool asked = query.cluster.empty() || query.cluster == cluster;
      if (asked && (!query.id.empty() || !query.cluster.empty())) view.outcomes.push_back(outcome);
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::map<std::string, std::int64_t> Outbox::PhasesOf(const std::string& cluster) const {
  std::map<std::string, std::int64_t> phases;
  for (const auto& [id, entry] : orders_) {
    if (const auto it = entry.outcomes.find(cluster); it != entry.outcomes.end()) {
      ++phases[std::string(NameOf(it->second.phase))];
    }
  }
  return phases;
}

}  // namespace ote::agent
