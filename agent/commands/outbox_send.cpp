// How commands get to their clusters.
#include <fmt/format.h>

#include <algorithm>

#include "agent/commands/outbox.h"
#include "core/base/log.h"

namespace ote::agent {

using api::CommandPhase;

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

// A cluster that comes back may have lost what it took: it was restored, or made anew. It is asked with a command that
// has expired, which it answers when it knows it and does not begin when it does not.
void Outbox::AskAfter(const std::string& cluster) {
  const auto way = members_.WayTo(cluster);
  const auto taken = taken_.find(cluster);
  if (!way || taken == taken_.end()) return;
  for (const auto& id : taken->second) {
    if (!asked_after_.emplace(id, cluster).second) continue;
    auto command = orders_.at(id).row.command;
    command.body = Json::object();
    command.deadline = 1;
    command.ttl_ms = 0;
    context_.rpc.Call(*way, api::verb::kCommandRun, ToJson(command), kPatience,
                      [this, alive = std::weak_ptr<bool>(alive_), cluster, id](const Result<wire::Envelope>& answer) {
                        if (!alive.lock()) return;
                        if (!answer) return AnsweredAfter(cluster, id, Fail(answer.error()));
                        AnsweredAfter(cluster, id, FromWire<api::CommandOutcome>(answer->body));
                      });
  }
}

void Outbox::AnsweredAfter(const std::string& cluster, const std::string& id,
                           const Result<api::CommandOutcome>& answer) {
  asked_after_.erase({id, cluster});
  if (!answer) return;  // with the next change of that member
  auto outcome = *answer;
  outcome.id = id;
  outcome.cluster = cluster;
  if (outcome.phase == CommandPhase::kExpired) {
    outcome.phase = CommandPhase::kFailed;
    outcome.code = Error{ErrorId::kInterrupted, {}, {}}.Code();
    outcome.message = "the cluster took it and does not know of it now: it was restored, or made anew";
  }
  if (auto learned = Learn(outcome); !learned) log::Debug("outcome not taken", {{"why", learned.error().message}});
}

}  // namespace ote::agent
