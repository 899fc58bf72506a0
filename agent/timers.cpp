#include "agent/timers.h"

#include <algorithm>
#include <utility>

namespace ote::agent {

Timers::Id Timers::At(Time at, std::function<void()> fn) {
  const Id id = next_++;
  entries_.emplace(at, Entry{id, std::move(fn)});
  return id;
}

void Timers::Cancel(Id id) {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [id](const auto& entry) { return entry.second.id == id; });
  if (it != entries_.end()) entries_.erase(it);
}

void Timers::RunDue(Time now) {
  // One at a time, since what runs may set and cancel others.
  while (!entries_.empty() && entries_.begin()->first <= now) {
    const auto fn = std::move(entries_.begin()->second.fn);
    entries_.erase(entries_.begin());
    fn();
  }
}

Timers::Time Timers::Until(Time now, Time at_most) const {
  if (entries_.empty()) return at_most;
  return std::clamp(entries_.begin()->first - now, Time{0}, at_most);
}

}  // namespace ote::agent
