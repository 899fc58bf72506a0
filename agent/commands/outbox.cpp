#include "agent/commands/outbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/tree/selector.h"
#include "crypto/digest.h"

namespace ote::agent {
namespace {

using api::CommandPhase;

Bytes ContentOf(const CommandBus::Order& order, std::vector<std::string> clusters) {
  std::sort(clusters.begin(), clusters.end());
  const Json content = {{"verb", order.verb},         {"body", order.body},         {"by", order.by},
                        {"ttl", order.ttl.count()},   {"replaces", order.replaces}, {"late", order.late},
                        {"selector", order.selector}, {"clusters", clusters}};
  const auto digest = crypto::DigestOf(DumpCbor(content));
  return {digest.bytes.begin(), digest.bytes.end()};
}

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
    orders_[id].row = std::move(row);
  }
  OTE_TRY(auto outcomes, context_.store.List<OutcomeRow>());
  for (auto& [outcome] : outcomes) {
    const auto it = orders_.find(outcome.id);
    if (it == orders_.end()) continue;
    if (!outcome.Over()) ++it->second.open, ++open_;
    it->second.outcomes.emplace(outcome.cluster, std::move(outcome));
  }
  for (const auto& [id, entry] : orders_) Index(entry);
  for (const auto& [number, id] : by_number_) {
    const auto& entry = orders_.at(id);
    for (const auto& [cluster, outcome] : entry.outcomes) {
      if (Waits(outcome.phase)) lanes_[cluster].ids.push_back(id);
      if (outcome.phase == CommandPhase::kAcknowledged) taken_[cluster].insert(id);
    }
    Settled(entry);
  }
  members_.OnChange([this](const api::Cluster& cluster, bool removed) { MemberChanged(cluster, removed); });
  Expire();
  Prune();
  if (lanes_.contains(context_.membership.name)) Pump(context_.membership.name);
  return {};
}

void Outbox::Index(const Entry& entry) {
  const auto& row = entry.row;
  by_number_[row.number] = row.command.id;
  if (!row.request_id.empty()) by_request_[row.request_id] = row.command.id;
  if (row.command.deadline != 0) deadlines_.emplace(row.command.deadline, row.command.id);
  if (LateNow(entry)) late_.insert(row.number);
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
  if (order.late && late_.size() >= kMostLate) {
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
  Index(entry);
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
  for (const auto number : std::set<std::int64_t>(late_)) {
    auto& entry = orders_.at(by_number_.at(number));
    if (entry.row.command.replaces != key) continue;
    entry.row.late = false;
    if (auto saved = context_.store.Put(entry.row); !saved) {
      log::Error("command not written", {{"command", entry.row.command.id}, {"why", saved.error().message}});
    }
    late_.erase(number);
    Settled(entry);
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
  for (const auto number : late_) {
    const auto& id = by_number_.at(number);
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
  if (!members_.WayTo(cluster.name)) return;
  AskAfter(cluster.name);
  const auto lane = lanes_.find(cluster.name);
  if (lane == lanes_.end()) return;
  lane->second.backoff.Reset();
  Pump(cluster.name);
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
