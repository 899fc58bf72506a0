// Things to do at a time, in the agent's one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

namespace ote::agent {

class Timers {
 public:
  using Id = std::uint64_t;
  using Time = std::chrono::milliseconds;  // of Clock::SteadyNow

  // Calls `fn` once, from RunDue, at or after `at`.
  Id At(Time at, std::function<void()> fn);
  // A timer that has run or is not there is passed over.
  void Cancel(Id id);
  // Runs all that are due at `now`, in the order of their times.
  void RunDue(Time now);
  // How long to wait from `now` until the next one, at most `at_most`.
  Time Until(Time now, Time at_most) const;

 private:
  struct Entry {
    Id id;
    std::function<void()> fn;
  };
  Id next_ = 1;
  std::multimap<Time, Entry> entries_;
};

}  // namespace ote::agent
