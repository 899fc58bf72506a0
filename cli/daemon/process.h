// Processes: a detached one that reports when it is ready, and one that is run to its end.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace ote::cli {

struct DetachedProcess {
  std::filesystem::path program;
  std::vector<std::string> arguments;       // without the program's name; "--ready-fd 3" is added
  std::filesystem::path log;                // standard output and error are appended to it
  std::vector<std::string> drop_variables;  // of the environment, such as secrets
};

// Starts it in a session of its own, with no file open but its log and the write end of a pipe as descriptor 3, and
// reads the pipe until the other side closes it. Returns what was written ("ready\n"); kTimedOut past `patience`,
// kAgentStart when it cannot be started at all.
Result<std::string> StartDetached(const DetachedProcess& process, std::chrono::milliseconds patience);

// Runs a program found in PATH with no input; returns its exit status (128 and more for a signal) and puts its standard
// output into `output`. Killed past `patience` (kTimedOut).
Result<int> RunQuietly(const std::vector<std::string>& words, std::string* output, std::chrono::milliseconds patience);

}  // namespace ote::cli
