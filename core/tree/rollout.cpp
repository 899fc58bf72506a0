#include "core/tree/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace ote::tree {

using api::RolloutPhase;
using api::SitePhase;
using Kind = RolloutAction::Kind;

void RolloutMachine::Begin(std::int64_t revision, const api::RolloutSpec& spec) {
  state_.revision = revision;
  state_.spec = spec;
  state_.phase = RolloutPhase::kRolling;
  state_.message.clear();
  for (auto& [cluster, site] : state_.sites) {
    if (site.phase == SitePhase::kLeaving) continue;
    site.phase = site.online ? SitePhase::kWaiting : SitePhase::kPending;
    site.deadline = 0;
    site.message.clear();
  }
}

void RolloutMachine::SetSites(const std::vector<Site>& sites) {
  std::map<std::string, const Site*> wanted;
  for (const auto& site : sites) wanted.emplace(site.cluster, &site);
  for (auto it = state_.sites.begin(); it != state_.sites.end();) {
    auto& [cluster, site] = *it;
    if (!wanted.contains(cluster) && site.sent == 0 && !site.carried) {
      it = state_.sites.erase(it);
      continue;
    }
    if (!wanted.contains(cluster) && site.phase != SitePhase::kLeaving) {
      site.phase = SitePhase::kLeaving;
      site.deadline = 0;
      site.message = "to be told";
    }
    ++it;
  }
  for (const auto& [cluster, want] : wanted) {
    auto& site = state_.sites[cluster];
    // One that comes back, or that was to leave and may stay, is told anew.
    if (site.phase == SitePhase::kLeaving) {
      site.phase = SitePhase::kWaiting;
      site.sent = 0;
      site.message.clear();
    }
    const bool fresh = site.sent == 0;
    site.canary = want->canary;
    if (site.online != want->online || fresh) {
      site.online = want->online;
      if (!site.online) {
        site.deadline = 0;
        if (site.phase == SitePhase::kWaiting || site.phase == SitePhase::kSent) site.phase = SitePhase::kPending;
      } else if (site.phase == SitePhase::kPending) {
        site.phase = site.sent == state_.revision && !site.carried ? SitePhase::kSent : SitePhase::kWaiting;
      }
    }
  }
}

void RolloutMachine::Tell(const std::string& cluster, const api::AppStatus& status) {
  const auto it = state_.sites.find(cluster);
  if (it == state_.sites.end()) return;
  auto& site = it->second;
  if (site.phase == SitePhase::kLeaving || site.sent != state_.revision) return;
  if (status.rolled_back_from == state_.revision) {
    site.phase = SitePhase::kFailed;
    site.deadline = 0;
    site.message = status.message.empty() ? "it went back by itself" : status.message;
    return;
  }
  if (!status.overridden_by.empty() && status.wanted_revision == state_.revision) {
    site.phase = SitePhase::kOverridden;
    site.deadline = 0;
    site.message = "overridden by " + status.overridden_by;
    return;
  }
  if (status.revision != state_.revision) return;
  if (status.phase == api::AppPhase::kHealthy) {
    site.phase = SitePhase::kHealthy;
    site.deadline = 0;
    site.message.clear();
  } else if (site.phase == SitePhase::kHealthy || site.phase == SitePhase::kOverridden) {
    // It was healthy once: what happens later is shown, and is no matter of the rollout.
    if (status.overridden_by.empty() && site.phase == SitePhase::kOverridden) site.phase = SitePhase::kSent;
    site.message = status.message;
  } else if (status.phase == api::AppPhase::kFailed) {
    site.phase = SitePhase::kFailed;
    site.deadline = 0;
    site.message = status.message.empty() ? "it failed" : status.message;
  } else {
    site.message = status.message;
  }
}

void RolloutMachine::Refused(const std::string& cluster, std::int64_t revision, const std::string& why) {
  const auto it = state_.sites.find(cluster);
  if (it == state_.sites.end() || it->second.sent != revision || revision != state_.revision) return;
  if (it->second.phase == SitePhase::kLeaving || it->second.phase == SitePhase::kHealthy) return;
  it->second.phase = SitePhase::kFailed;
  it->second.deadline = 0;
  it->second.message = why;
}

void RolloutMachine::Left(const std::string& cluster) {
  const auto it = state_.sites.find(cluster);
  if (it != state_.sites.end() && it->second.phase == SitePhase::kLeaving) state_.sites.erase(it);
}

void RolloutMachine::Carried(const std::string& cluster, std::int64_t revision) {
  const auto it = state_.sites.find(cluster);
  if (it == state_.sites.end()) return;
  auto& site = it->second;
  if (site.phase == SitePhase::kLeaving) return void(site.carried = true);  // told to give it up
  if (site.carried && site.sent == revision) return;                        // another copy
  site.sent = revision;
  site.carried = true;
  site.order = 0;
  site.deadline = 0;
  site.phase = SitePhase::kPending;
  site.message.clear();
}

void RolloutMachine::Without(const std::string& cluster) {
  const auto it = state_.sites.find(cluster);
  if (it == state_.sites.end() || !it->second.carried) return;
  if (it->second.phase == SitePhase::kLeaving) return void(state_.sites.erase(it));
  it->second.carried = false;
  it->second.sent = 0;
}

void RolloutMachine::Connected(const std::string& cluster) {
  const auto it = state_.sites.find(cluster);
  if (it != state_.sites.end() && it->second.phase == SitePhase::kLeaving) it->second.carried = false;
}

void RolloutMachine::Judge(UnixMillis now, std::vector<RolloutAction>& actions) {
  for (auto& [cluster, site] : state_.sites) {
    if (site.phase == SitePhase::kSent && site.online) {
      if (site.deadline == 0) site.deadline = now + state_.spec.health_ms;
      if (now >= site.deadline) {
        site.phase = SitePhase::kFailed;
        site.deadline = 0;
        site.message = fmt::format("not healthy within {} s{}{}", state_.spec.health_ms / 1000,
                                   site.message.empty() ? "" : ": ", site.message);
      }
    }
    if (site.phase == SitePhase::kFailed && state_.phase == RolloutPhase::kRolling) {
      state_.phase = RolloutPhase::kStopped;
      state_.message = cluster + ": " + site.message;
      actions.push_back({Kind::kFailed, cluster, state_.message, 0});
    }
  }
}

void RolloutMachine::Send(UnixMillis now, std::vector<RolloutAction>& actions) {
  std::int64_t there = 0;
  std::int64_t busy = 0;
  bool canaries_settled = true;
  for (const auto& [cluster, site] : state_.sites) {
    if (site.phase == SitePhase::kLeaving || !site.online) continue;
    ++there;
    if (site.phase == SitePhase::kSent) ++busy;
    if (site.canary && (site.phase == SitePhase::kWaiting || site.phase == SitePhase::kSent)) canaries_settled = false;
  }
  const auto& spec = state_.spec;
  const auto most = spec.max_unavailable > 0
                        ? spec.max_unavailable
                        : std::max<std::int64_t>(1, (there * spec.max_unavailable_percent + 99) / 100);
  for (const bool canary : {true, false}) {
    if (!canary && !canaries_settled) break;
    for (auto& [cluster, site] : state_.sites) {
      if (site.phase != SitePhase::kWaiting || !site.online || site.canary != canary) continue;
      if (busy >= most) return;
      ++busy;
      site.sent = state_.revision;
      site.carried = false;
      site.phase = SitePhase::kSent;
      site.deadline = now + spec.health_ms;
      site.message.clear();
      actions.push_back({Kind::kSend, cluster, {}, 0});
      if (canary) canaries_settled = false;
    }
  }
}

std::vector<RolloutAction> RolloutMachine::Step(UnixMillis now) {
  std::vector<RolloutAction> actions;
  for (auto& [cluster, site] : state_.sites) {
    if (site.phase != SitePhase::kLeaving || site.message != "to be told" || site.carried) continue;
    site.message = "told to give it up";
    actions.push_back({Kind::kUnset, cluster, {}, 0});
  }
  Judge(now, actions);
  if (state_.phase != RolloutPhase::kStopped) Send(now, actions);
  UnixMillis next = 0;
  bool settled = true;
  // As long as everybody is away nothing is known of the revision.
  bool seen = state_.sites.empty();
  for (const auto& [cluster, site] : state_.sites) {
    seen = seen || site.phase == SitePhase::kHealthy || site.phase == SitePhase::kOverridden;
    if (site.deadline != 0) next = next == 0 ? site.deadline : std::min(next, site.deadline);
    settled = settled && site.phase != SitePhase::kWaiting && site.phase != SitePhase::kSent;
  }
  if (state_.phase == RolloutPhase::kRolling && settled && seen) {
    state_.phase = RolloutPhase::kDone;
    actions.push_back({Kind::kDone, {}, {}, 0});
  }
  if (next != 0) actions.push_back({Kind::kWake, {}, {}, next});
  return actions;
}

}  // namespace ote::tree
