// How long something took, to be shown to people. Nothing is decided by it: what waits for a time uses a Clock.
#pragma once

#include <chrono>

namespace ote {

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count(); }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace ote
