// Ctrl-C during a wait.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace ote::cli {

// While it lives, the first SIGINT or SIGTERM asks its token to stop, and a second one ends the process as usual. Make
// it before anything that starts threads, in main's thread; one at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  std::stop_token Token() const noexcept { return source_.get_token(); }

 private:
  sigset_t before_{};
  std::stop_source source_;
  std::jthread watcher_;
};

}  // namespace ote::cli
