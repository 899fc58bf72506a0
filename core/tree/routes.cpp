#include "core/tree/routes.h"

#include <utility>

namespace ote::tree {

void Routes::Erase(const std::string& name) {
  const auto it = all_.find(name);
  if (it == all_.end()) return;
  if (const auto of = by_child_.find(it->second.child); of != by_child_.end()) {
    of->second.erase(name);
    if (of->second.empty()) by_child_.erase(of);
  }
  all_.erase(it);
}

std::string Routes::ChildTowards(const std::string& name) const {
  const auto it = all_.find(name);
  return it == all_.end() ? name : it->second.child;
}

// Whether another child has it ready by the same connection.
bool Routes::Follows(const std::string& child, const api::RouteEntry& entry) const {
  const auto held = all_.find(entry.cluster.name);
  return held != all_.end() && held->second.child != child && held->second.known &&
         held->second.entry.cluster.status == api::ClusterStatus::kReady &&
         entry.cluster.status == api::ClusterStatus::kReady && held->second.entry.epoch == entry.epoch;
}

void Routes::Put(const std::string& child, const api::RouteEntry& entry, Effect& effect) {
  const auto& name = entry.cluster.name;
  if (const auto naming = naming_.find(child); naming != naming_.end()) naming->second.insert(name);
  if (const auto held = all_.find(name); held != all_.end() && held->second.child != child) Erase(name);
  all_.insert_or_assign(name, Below{entry, child, true});
  by_child_[child].insert(name);
  effect.changed.push_back(name);
}

void Routes::Take(const std::string& child, const api::RouteEntry& entry, Effect& effect) {
  const auto& name = entry.cluster.name;
  const auto held = all_.find(name);
  if (held == all_.end() || held->second.child == child) return Put(child, entry, effect);
  const auto& other = held->second;
  const auto before = other.child;
  const bool ready = entry.cluster.status == api::ClusterStatus::kReady;
  const bool other_ready = other.known && other.entry.cluster.status == api::ClusterStatus::kReady;
  // One that only remembers it takes it from nobody who has it.
  if (!ready && other_ready) return;
  if (ready && other_ready) {
    if (other.entry.epoch > entry.epoch) {
      effect.stale.emplace_back(child, api::Session{name, entry.epoch});
      return;
    }
    effect.stale.emplace_back(before, api::Session{name, other.entry.epoch});
  }
  Put(child, entry, effect);
  BringAlong(name, before, child, effect);
}

// What hangs on `name` goes where it goes, whether that has been told yet or not.
void Routes::BringAlong(const std::string& name, const std::string& from, const std::string& to, Effect& effect) {
  const auto of = by_child_.find(from);
  if (of == by_child_.end()) return;
  std::vector<std::string> along;
  for (const auto& below : of->second) {
    if (all_.at(below).entry.cluster.via == name) along.push_back(below);
  }
  for (const auto& below : along) {
    auto entry = std::move(all_.at(below).entry);
    Erase(below);
    Put(to, entry, effect);
    BringAlong(below, from, to, effect);
  }
}

Routes::Effect Routes::Apply(const std::string& child, const api::RouteChange& change) {
  Effect effect;
  if (change.whole) naming_[child].clear();
  // Those that moved first: what hangs on them has the epoch that it had, and is where they are.
  std::vector<const api::RouteEntry*> followers;
  for (const auto& entry : change.set) {
    if (entry.cluster.name != child && Follows(child, entry)) {
      followers.push_back(&entry);
    } else if (entry.cluster.name != child) {
      Take(child, entry, effect);
    }
  }
  for (const auto* entry : followers) {
    // One whose parent is elsewhere is told of by somebody who has not heard yet that it went there.
    if (ChildTowards(entry->cluster.via) == child) Put(child, *entry, effect);
  }
  for (const auto& name : change.gone) {
    const auto held = all_.find(name);
    if (held == all_.end() || held->second.child != child) continue;
    Erase(name);
    effect.changed.push_back(name);
  }
  const auto naming = naming_.find(child);
  if (naming == naming_.end() || change.more) return effect;
  // The list is whole now: what it did not name is there no longer.
  const auto named = std::move(naming->second);
  naming_.erase(naming);
  if (const auto of = by_child_.find(child); of != by_child_.end()) {
    const auto before = of->second;
    for (const auto& name : before) {
      if (named.contains(name)) continue;
      Erase(name);
      effect.changed.push_back(name);
    }
  }
  return effect;
}

Routes::Effect Routes::Lose(const std::string& child) {
  Effect effect;
  naming_.erase(child);
  const auto of = by_child_.find(child);
  if (of == by_child_.end()) return effect;
  for (const auto& name : of->second) {
    auto& below = all_.at(name);
    if (!below.known) continue;
    below.known = false;
    effect.changed.push_back(name);
  }
  return effect;
}

Routes::Effect Routes::Forget(const std::string& child) {
  Effect effect;
  naming_.erase(child);
  const auto of = by_child_.find(child);
  if (of == by_child_.end()) return effect;
  const auto names = of->second;
  for (const auto& name : names) Erase(name);
  effect.changed.assign(names.begin(), names.end());
  return effect;
}

Routes::Effect Routes::Adopt(const api::Session& session) {
  Effect effect;
  const auto held = all_.find(session.name);
  if (held == all_.end()) return effect;
  if (held->second.known && held->second.entry.cluster.status == api::ClusterStatus::kReady) {
    effect.stale.emplace_back(held->second.child, api::Session{session.name, held->second.entry.epoch});
  }
  Erase(session.name);
  effect.changed.push_back(session.name);
  return effect;
}

Routes::Effect Routes::Drop(const std::string& name) {
  Effect effect;
  if (!all_.contains(name)) return effect;
  Erase(name);
  effect.changed.push_back(name);
  return effect;
}

const Routes::Below* Routes::Find(const std::string& name) const {
  const auto it = all_.find(name);
  return it == all_.end() ? nullptr : &it->second;
}

const std::set<std::string>* Routes::Under(const std::string& child) const {
  const auto it = by_child_.find(child);
  return it == by_child_.end() ? nullptr : &it->second;
}

void RouteFeed::Begin(std::set<std::string> all) {
  whole_ = true;
  in_whole_ = true;
  touched_ = std::move(all);
}

void RouteFeed::Touch(const std::string& name) { touched_.insert(name); }

RouteFeed::Batch RouteFeed::Take(std::size_t most) {
  Batch batch;
  batch.whole = std::exchange(whole_, false);
  while (!touched_.empty() && batch.names.size() < most) {
    batch.names.push_back(std::move(touched_.extract(touched_.begin()).value()));
  }
  batch.more = in_whole_ && !touched_.empty();
  if (!batch.more) in_whole_ = false;
  return batch;
}

}  // namespace ote::tree
