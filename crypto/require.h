// Preconditions that must hold in every build: going on without them would give away a secret or sign nonsense.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ote::crypto {

// Aborts with `what` when a caller broke the contract. For bugs only; input is answered with an Error.
inline void Require(bool holds, const char* what) noexcept {
  if (holds) return;
  std::fputs("ote: bug: ", stderr);
  std::fputs(what, stderr);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace ote::crypto
