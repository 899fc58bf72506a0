// How long a line takes, from round trips that were measured one by one. Pure. One thread.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace ote::tree {

class LineMeter {
 public:
  static constexpr std::size_t kWindow = 8;

  // The shortest of the last few is the line; the rest is what somebody was busy with. True when it is to be told: the
  // first one, and then what differs from what was told by more than a quarter and by two milliseconds or more, so that
  // a line that only trembles tells nothing.
  bool Take(std::chrono::milliseconds round_trip);
  // Another line: what was measured is not of it.
  void Reset();
  // What was told last.
  std::optional<std::chrono::milliseconds> Told() const noexcept { return told_; }

 private:
  std::deque<std::chrono::milliseconds> last_;
  std::optional<std::chrono::milliseconds> told_;
};

}  // namespace ote::tree
