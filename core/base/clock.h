// Time, passed in: nothing below main reads the system's clock by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ote {

// Milliseconds since the Unix epoch, UTC. What certificates, tokens and records carry.
using UnixMillis = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  // The calendar time. May jump; never use it to measure a wait.
  virtual UnixMillis WallNow() const = 0;
  // Never goes back; comparable only within one process.
  virtual std::chrono::milliseconds SteadyNow() const = 0;
};

// The system's clocks. Stateless; any thread.
class SystemClock final : public Clock {
 public:
  UnixMillis WallNow() const override;
  std::chrono::milliseconds SteadyNow() const override;
};

// For tests: stands still until told to advance.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(UnixMillis wall = 1'700'000'000'000) : wall_(wall) {}
  UnixMillis WallNow() const override { return wall_; }
  std::chrono::milliseconds SteadyNow() const override { return steady_; }
  void Advance(std::chrono::milliseconds by) {
    wall_ += by.count();
    steady_ += by;
  }
  // The calendar jumps, the steady clock does not: an operator set the date.
  void SetWall(UnixMillis wall) { wall_ = wall; }

 private:
  UnixMillis wall_;
  std::chrono::milliseconds steady_{0};
};

// "2026-11-23T20:26:00.000Z"
std::string FormatTime(UnixMillis at);

}  // namespace ote
