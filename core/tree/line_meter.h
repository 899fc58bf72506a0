// How long a line takes, from round trips that were measured one by one. Pure. One thread.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace ote::tree {

class LineMeter {
 public:
  static constexpr std::size_t kWindow = 8;

  // Gives what is to be told now, if anything. The shortest of the last few is the line; the rest is what somebody was
  // busy with. It is told at first, and then when it differs from what was told by more than a quarter and by two
  // milliseconds or more, so that a line that only trembles tells nothing.
  std::optional<std::chrono::milliseconds> Take(std::chrono::milliseconds round_trip);
  // Another line: what was measured is not of it.
  void Reset();

 private:
  std::deque<std::chrono::milliseconds> last_;
  std::optional<std::chrono::milliseconds> told_;
};

}  // namespace ote::tree
