#include "agent/backoff.h"

#include <algorithm>

#include "agent/task_courier.h"
#include "core/base/ids.h"

namespace ote::agent {

std::chrono::milliseconds Backoff::Next() {
  const auto whole = std::min(kLongest, kFirst * (1 << std::min(tries_, 5)));
  ++tries_;
  const auto half = whole.count() / 2;
  return std::chrono::milliseconds(half + static_cast<std::int64_t>(RandomU64() % static_cast<std::uint64_t>(half)));
}

bool WorthAnotherTry(const Error& error) noexcept {
  switch (error.id) {
    case ErrorId::kNoRoute:
    case ErrorId::kNotBelow:  // the ways have not settled yet
    case ErrorId::kForwardFailed:
    case ErrorId::kUnrooted:
    case ErrorId::kWouldLoop:
      return true;
    default:
      return MayPass(error);
  }
}

}  // namespace ote::agent
