#include "agent/run_unmasking.h"

#include <utility>

namespace ote::agent {

void RunUnmasking::Start(const federate::Unmask& wanted) {
  Stop();
  running_ = worker_.Run<Result<void>>(
      [removal = wanted.removal, sum = wanted.sum](const std::stop_token& stop) { return removal->From(*sum, stop); },
      [this, alive = std::weak_ptr<bool>(alive_), number = latest_, id = wanted.id,
       sum = wanted.sum](const Result<void>& done) {
        if (!alive.lock() || number != latest_) return;
        unmasked_(done ? federate::Unmasked{id, sum} : federate::Unmasked{id, nullptr, done.error()});
      });
}

void RunUnmasking::Stop() {
  ++latest_;
  running_.request_stop();
}

}  // namespace ote::agent
