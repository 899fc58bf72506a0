// One question whether a replica is well: a command, an HTTP request or a TCP connection, answered without blocking.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/api/app.h"
#include "core/base/descriptor.h"

namespace ote::agent::process {

// The status of an HTTP answer's first line; nothing yet for "", 0 for what is no such line.
std::optional<int> HttpStatus(std::string_view answer);

class Probe {
 public:
  // Starts a health command and returns its pid.
  using Run = std::function<Result<pid_t>(const std::vector<std::string>& command)>;

  Probe(const api::HealthCheck& check, const Run& run);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // The answer, once there is one: "" for well, else why not.
  const std::optional<std::string>& Answer() const { return answer_; }
  // What to wait for, by poll(2); -1 for nothing (a command: its end is seen by Reaped).
  int fd() const { return answer_ ? -1 : socket_.get(); }
  short events() const { return events_; }
  void Ready();
  void Reaped(pid_t pid, int status);
  void TimedOut();

 private:
  void Connect();
  void Settle(std::string why_not);

  api::HealthCheck check_;
  std::optional<std::string> answer_;
  Descriptor socket_;
  short events_ = 0;
  bool connected_ = false;
  std::string received_;
  pid_t pid_ = 0;
};

}  // namespace ote::agent::process
