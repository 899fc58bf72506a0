// The program of a shim, kept running, and its three streams. One thread of its own, which sleeps in poll(2).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/shim/process/spec.h"
#include "agent/shim/program/protocol.h"
#include "core/base/clock.h"
#include "core/base/descriptor.h"

namespace ote::agent::program {

// When a program that ends is started again.
struct Patience {
  std::int64_t back_off_ms = 1'000;  // doubles
  std::int64_t back_off_most_ms = 60'000;
  std::int64_t steady_ms = 60'000;   // begins anew after running this long
  std::int64_t answer_ms = 60'000;   // for an answer
  std::int64_t farewell_ms = 2'000;  // for the program to end when its input has
};

class Channel {
 public:
  // Called in the channel's thread, in this order: up, line…, down, up….
  struct Ears {
    std::function<void(std::uint64_t run)> up;
    std::function<void(std::string line)> line;
    std::function<void(std::string why)> down;
    std::function<void(std::int64_t id)> late;  // an answer that is expected has not come
  };
  // `command` is for sh(1).
  Channel(std::string command, std::filesystem::path folder, const Patience& patience, Ears ears);
  // Ends the program's input, and the program when it stays.
  ~Channel();

  // Any thread. To a run that is over nothing is sent. A program that does not read is ended.
  void Send(std::uint64_t run, std::string line);
  void Expect(std::int64_t id);
  void Forget(std::int64_t id);
  // Ends the program, which is started again: it did not keep to the protocol.
  void Break(std::uint64_t run, std::string why);
  // The line that came first is through: only so many are handed on at once.
  void Taken();

 private:
  void Loop();
  void Begin();
  void End(const std::string& why);
  void Wait();
  void ReadLines();
  void ReadErrors();
  void WriteOut();
  int PatienceNow();
  void Wake();
  std::int64_t Now() const { return clock_.SteadyNow().count(); }

  const SystemClock clock_;
  const std::string command_;
  const std::filesystem::path folder_;
  const Patience patience_;
  const Ears ears_;

  std::mutex mutex_;
  std::uint64_t run_ = 0;
  std::string unsent_;
  std::string broken_;  // why the run is to end
  std::map<std::int64_t, std::int64_t> expected_;
  bool quit_ = false;
  std::atomic<int> in_flight_{0};

  pid_t pid_ = 0;
  Descriptor pidfd_, in_, out_, err_;
  process::LineBuffer lines_;
  std::string said_;  // the end of what it printed as errors
  std::int64_t begun_ = 0, start_at_ = 0;
  int tries_ = 0;
  Descriptor wake_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace ote::agent::program
