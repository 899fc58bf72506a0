// One program run to its end, within limits: the only place of a site that starts processes.
//
// The calling thread blocks in poll(2), without a turn of its own, until the program ends, says something, its time is
// over, or it is asked to stop. Whatever the program started ends with it: its process group is killed, and in a
// sandbox the kernel ends the rest (core/site/trainers/sandbox.h). When the thread or the agent dies, so does the
// program.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace ote::site {

struct ProcessPlan {
  std::vector<std::string> argv;         // argv[0] is the path of the program
  std::vector<std::string> environment;  // "NAME=value": all that it gets
  std::filesystem::path folder;          // where it runs
  std::chrono::milliseconds timeout{0};
  // Of private memory, of each process, by RLIMIT_DATA; 0 for none. RLIMIT_AS would count address space that is only
  // set aside, which PyTorch does by the gigabyte with CUDA and by thread.
  std::uint64_t memory = 0;
};

struct ProcessEnd {
  enum class How { kExited, kSignalled, kTimedOut } how = How::kExited;
  int number = 0;  // the exit status or the signal
  double seconds = 0;
};

// Both of its streams go to `output`, in the calling thread, as they come. Standard input is empty. kTrainerFailed when
// it cannot be started at all, with the system's words; kInterrupted when stopped.
Result<ProcessEnd> RunProcess(const ProcessPlan& plan, const std::function<void(std::string_view)>& output,
                              const std::stop_token& stop);

// The program that a word names: an absolute path, or the first of that name in the folders of kProgramPath; "" when
// there is none that this user may run.
std::string FindProgram(const std::string& word);
inline constexpr std::string_view kProgramPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace ote::site
