// Pauses between tries of the same thing: each about twice as long as the one before, none in step with other agents'.
#pragma once

#include <chrono>

#include "core/base/result.h"

namespace ote::agent {

class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{2'000};
  static constexpr std::chrono::milliseconds kLongest{60'000};

  // Half to all of what is due: kFirst, doubled with every call, up to kLongest.
  std::chrono::milliseconds Next();
  void Reset() noexcept { tries_ = 0; }

 private:
  int tries_ = 0;
};

// Whether the same request may succeed later: the line, the way, the disk or the load was against it, not the request.
bool WorthAnotherTry(const Error& error) noexcept;

}  // namespace ote::agent
