#include "agent/commands/inbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"

namespace ote::agent {

using api::CommandPhase;

Inbox::Inbox(Context& context, Uplink& uplink, Local local)
    : context_(context), uplink_(uplink), local_(std::move(local)) {}

Inbox::~Inbox() {
  context_.timers.Cancel(again_);
  context_.timers.Cancel(settle_);
}

Result<void> Inbox::Start() {
  OTE_TRY(auto rows, context_.store.List<TakenRow>());
  for (auto& row : rows) {
    const auto key = row.Key();
    if (!row.told) untold_.insert(key);
    taken_.emplace(key, std::move(row));
  }
  context_.rpc.Register(api::verb::kCommandRun, kByParent, [this](Request request) {
    const auto command = FromWire<api::Command>(request.envelope().body);
    if (!command) return request.Refuse(command.error());
    const auto& from = request.envelope().from;
    if (!from.empty() && from != command->issuer) {
      return request.Refuse(
          Error{ErrorId::kPermission, fmt::format("{}: of {}, and not of {}", command->id, from, command->issuer), {}});
    }
    const auto outcome = Take(*command);
    if (!outcome) return request.Refuse(outcome.error());
    request.Answer(ToJson(*outcome));
  });
  uplink_.OnConnected([this] {
    backoff_.Reset();
    TellAgain();
  });
  // The handlers are there once the agent runs.
  context_.timers.At(context_.clock.SteadyNow(), [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) TakeUp();
  });
  return {};
}

void Inbox::Handle(std::string_view verb, bool repeatable,
                   std::function<void(const api::Command&, CommandBus::Done)> execute) {
  handlers_.insert_or_assign(std::string(verb), Handler{repeatable, std::move(execute)});
}

Result<api::CommandOutcome> Inbox::Take(const api::Command& command) {
  OTE_CHECK(CheckName("issuer", command.issuer));
  OTE_CHECK(CheckName("command", command.id));
  TakenRow row;
  row.command = command;
  const auto key = row.Key();
  if (const auto known = taken_.find(key); known != taken_.end()) return known->second.outcome;
  if (untold_.size() >= kMostUntold) {
    ++refused_;
    return Fail(ErrorId::kBusy, fmt::format("{}: {} commands are under way or to be told", command.id, untold_.size()));
  }
  const auto now = context_.clock.WallNow();
  row.taken_at = now;
  row.deadline = command.deadline == 0 ? 0 : now + command.ttl_ms;
  auto& outcome = row.outcome;
  outcome.id = command.id;
  outcome.issuer = command.issuer;
  outcome.cluster = context_.membership.name;
  outcome.at = now;
  outcome.phase = CommandPhase::kAcknowledged;
  if (command.deadline != 0 && command.ttl_ms <= 0) {
    outcome.phase = CommandPhase::kExpired;
    outcome.code = Error{ErrorId::kCommandExpired, {}, {}}.Code();
    outcome.message = "it came after its deadline";
    row.told = true;  // by the answer; its issuer knows without it
    row.command.body = Json::object();
  }
  OTE_CHECK(context_.store.Put(row));
  const auto answer = outcome;
  if (!row.told) {
    untold_.insert(key);
    context_.timers.At(context_.clock.SteadyNow(), [this, key, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.lock()) Execute(key);
    });
  }
  taken_.emplace(key, std::move(row));
  Prune();
  return answer;
}

void Inbox::Execute(const std::string& key) {
  const auto command = taken_.at(key).command;
  const auto it = handlers_.find(command.verb);
  if (it == handlers_.end()) {
    return Finish(key,
                  Fail(ErrorId::kUnsupported, fmt::format("{}: this agent does not know the command", command.verb)));
  }
  if (warden_.may) {
    if (auto may = warden_.may(command); !may) return Finish(key, Fail(may.error()));
  }
  log::Info("command begun",
            {{"command", command.id}, {"verb", command.verb}, {"of", command.issuer}, {"by", command.by}});
  const auto execute = it->second.execute;
  execute(command, [this, key, alive = std::weak_ptr<bool>(alive_)](Result<Json> result) {
    if (alive.lock()) Finish(key, std::move(result));
  });
}

// A crash in the middle: whether the work was begun, and how far it came, is not known.
void Inbox::TakeUp() {
  std::vector<std::string> open;
  for (const auto& key : untold_) {
    if (!taken_.at(key).outcome.Over()) open.push_back(key);
  }
  std::ranges::sort(open, {}, [this](const std::string& key) { return std::pair(taken_.at(key).taken_at, key); });
  const auto now = context_.clock.WallNow();
  for (const auto& key : open) {
    const auto& row = taken_.at(key);
    const auto handler = handlers_.find(row.command.verb);
    const bool late = row.deadline != 0 && row.deadline <= now;
    if (handler != handlers_.end() && handler->second.repeatable && !late) {
      Execute(key);
    } else {
      Finish(key, Fail(ErrorId::kInterrupted, "the agent stopped in the middle of it: it may be half done"));
    }
  }
  Tell();
}

void Inbox::Finish(const std::string& key, Result<Json> result) {
  const auto it = taken_.find(key);
  if (it == taken_.end() || it->second.outcome.Over()) return;
  auto outcome = it->second.outcome;
  outcome.at = context_.clock.WallNow();
  if (result && DumpCbor(*result).size() > kMostResult) {
    result = Fail(ErrorId::kFailed, fmt::format("done, but its result is of more than {} KiB", kMostResult >> 10));
  }
  if (result) {
    outcome.phase = CommandPhase::kDone;
    outcome.result = std::move(*result);
  } else {
    outcome.phase = CommandPhase::kFailed;
    outcome.code = result.error().Code();
    outcome.message = result.error().message;
    outcome.hint = result.error().hint;
  }
  if (warden_.ran) warden_.ran(it->second.command, result ? nullptr : &result.error());
  Close(key, std::move(outcome));
  Tell();
}

void Inbox::Close(const std::string& key, api::CommandOutcome outcome) {
  auto& row = taken_.at(key);
  row.outcome = std::move(outcome);
  row.command.body = Json::object();
  // It was done, whether the disk says so or not; should it not, the next start tells what it finds.
  if (auto saved = context_.store.Put(row); !saved) {
    log::Error("outcome not written", {{"command", row.command.id}, {"why", saved.error().message}});
  }
}

void Inbox::TellAgain() {
  context_.timers.Cancel(again_);
  again_ = 0;
  resting_.clear();
  Tell();
}

void Inbox::Tell() {
  for (const auto& key : untold_) {
    if (telling_.size() >= kMostTelling) return;
    const auto& row = taken_.at(key);
    if (!row.outcome.Over() || telling_.contains(key) || resting_.contains(key)) continue;
    telling_.insert(key);
    const auto told = [this, key, alive = std::weak_ptr<bool>(alive_)](const Result<void>& answer) {
      if (alive.lock()) Told(key, answer);
    };
    if (row.command.issuer == context_.membership.name) {
      context_.timers.At(context_.clock.SteadyNow(),
                         [this, told, outcome = row.outcome, alive = std::weak_ptr<bool>(alive_)] {
                           if (!alive.lock()) return;
                           if (auto taken = local_(outcome, told); !taken) told(taken);
                         });
      continue;
    }
    uplink_.CallAbove(row.command.issuer, api::verb::kCommandOutcome, ToJson(row.outcome), kPatience,
                      [told](const Result<wire::Envelope>& answer) {
                        told(answer ? Result<void>() : Result<void>(Fail(answer.error())));
                      });
  }
}

void Inbox::Told(const std::string& key, const Result<void>& answer) {
  telling_.erase(key);
  // One that forgot it, such as a root that was restored, has no use for it.
  const bool taken = answer || answer.error().id == ErrorId::kCommandUnknown;
  if (!taken) {
    log::Debug("outcome not told yet", {{"command", key}, {"why", answer.error().message}});
    resting_.insert(key);
    if (again_ == 0) again_ = context_.timers.At(context_.clock.SteadyNow() + backoff_.Next(), [this] { TellAgain(); });
  } else if (untold_.erase(key) > 0) {
    settled_.insert(key);
    if (settle_ == 0) settle_ = context_.timers.At(context_.clock.SteadyNow(), [this] { Settle(); });
  }
  Tell();
}

// In one write for all. One that is lost in a crash is only told again.
void Inbox::Settle() {
  settle_ = 0;
  const auto keys = std::exchange(settled_, {});
  const auto written = context_.store.Transaction([&]() -> Result<void> {
    for (const auto& key : keys) {
      const auto it = taken_.find(key);
      if (it == taken_.end()) continue;
      it->second.told = true;
      OTE_CHECK(context_.store.Put(it->second));
    }
    return {};
  });
  if (!written) log::Warn("commands not written", {{"why", written.error().message}});
  Prune();
}

void Inbox::Prune() {
  if (taken_.size() <= kMostTold && taken_.size() % 64 != 0) return;  // the age alone is looked at now and then
  const auto now = context_.clock.WallNow();
  std::vector<std::pair<UnixMillis, std::string>> told;
  std::vector<std::string> gone;
  for (const auto& [key, row] : taken_) {
    const auto since = std::max({row.taken_at, row.outcome.at, row.deadline});
    if (row.told && since + kRemembered < now) {
      gone.push_back(key);
    } else if (row.outcome.Over() && since + kLongestKept < now) {
      gone.push_back(key);
    } else if (row.told) {
      told.emplace_back(since, key);
    }
  }
  if (told.size() > kMostTold) {
    std::sort(told.begin(), told.end());
    for (std::size_t i = 0; i + kMostTold < told.size(); ++i) gone.push_back(told[i].second);
  }
  if (gone.empty()) return;
  const auto removed = context_.store.Transaction([&]() -> Result<void> {
    for (const auto& key : gone) OTE_CHECK(context_.store.Remove<TakenRow>(key));
    return {};
  });
  if (!removed) return log::Warn("old commands not removed", {{"why", removed.error().message}});
  for (const auto& key : gone) {
    taken_.erase(key);
    untold_.erase(key);
    ++forgotten_;
  }
}

std::vector<api::CommandView> Inbox::View(const api::CommandQuery& query) const {
  std::vector<const TakenRow*> rows;
  for (const auto& [key, row] : taken_) {
    if (row.command.issuer == context_.membership.name) continue;  // the outbox shows it
    if (!query.id.empty() && query.id != row.command.id) continue;
    if (!query.cluster.empty() && query.cluster != row.outcome.cluster) continue;
    rows.push_back(&row);
  }
  std::ranges::sort(rows, [](const TakenRow* a, const TakenRow* b) { return a->taken_at > b->taken_at; });
  std::vector<api::CommandView> views;
  for (const auto* row : rows) {
    api::CommandView view;
    view.id = row->command.id;
    view.issuer = row->command.issuer;
    view.verb = row->command.verb;
    view.by = row->command.by;
    view.issued_at = row->command.issued_at;
    view.deadline = row->command.deadline;
    view.phases[std::string(NameOf(row->outcome.phase))] = 1;
    if (!query.id.empty() || !query.cluster.empty()) view.outcomes.push_back(row->outcome);
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace ote::agent
