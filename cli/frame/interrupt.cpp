#include "cli/frame/interrupt.h"

#include <ctime>

namespace ote::cli {
namespace {

sigset_t Interrupts() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interruption::Interruption() {
  const sigset_t set = Interrupts();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  watcher_ = std::jthread([this](const std::stop_token& over) {
    const sigset_t wanted = Interrupts();
    const timespec tick{0, 50'000'000};
    while (!over.stop_requested()) {
      if (sigtimedwait(&wanted, nullptr, &tick) > 0) {
        source_.request_stop();
        // From here on a second one is not waited for: this thread takes it, with its default effect.
        pthread_sigmask(SIG_UNBLOCK, &wanted, nullptr);
        return;
      }
    }
  });
}

Interruption::~Interruption() {
  watcher_.request_stop();
  watcher_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace ote::cli
