// The process that stands over one replica: `ote-agent supervise FOLDER`, started by the process shim, in a session of
// its own, so that the replica outlives the agent. It starts the command and starts it again, checks its health, keeps
// its log, and tells its state to whom it concerns (agent/shim/process/spec.h). One thread that sleeps in poll(2).
//
// When it is killed, the command goes with it, and the shim starts another. When its folder is deleted, it stops the
// command and ends.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/shim/process/health.h"
#include "agent/shim/process/launch.h"
#include "agent/shim/process/logs.h"
#include "agent/shim/process/spec.h"
#include "core/base/clock.h"
#include "core/base/descriptor.h"

namespace ote::agent::process {

class Supervisor {
 public:
  // `folder` is absolute, and the working folder of the process; `lock` and `listener` are open.
  Supervisor(std::filesystem::path folder, ReplicaSpec spec, Descriptor listener, Descriptor signals);
  void Run();

 private:
  enum class After { kExit, kLeave, kBackOff, kAgain };  // what comes once the command has ended
  struct Client {
    Descriptor fd;
    LineBuffer in;
    std::string out;
    bool gone = false;
  };

  // supervisor.cpp: the command.
  void TryStart();
  void NotStarted(const Error& error);
  void Stop(After after);
  void Kill();
  void KillRest();
  void Ended(int status);
  void AfterEnd(bool well, const std::string& why);
  void Finish(api::AppPhase phase);
  void Obey(Order order);
  void Set(api::AppPhase phase, std::string message, std::string code = {});
  void Happened(const std::string& kind, std::string message, bool warning);

  // supervisor_loop.cpp: what it waits for.
  void Wait();
  int Patience(std::int64_t now) const;
  void Reap();
  void LookAtFolder();
  void Due();
  void Accept();
  void Serve(Client& client, short events);
  void Send(const SupervisorLine& line);
  void Flush(Client& client);
  void Drain(Descriptor& pipe, const char* stream, bool all);
  void BeginProbe();
  void EndProbe();
  std::int64_t Now() const { return clock_.SteadyNow().count(); }

  const SystemClock clock_;
  const std::filesystem::path folder_;
  const ReplicaSpec spec_;
  ReplicaState state_;
  LogWriter log_;
  Descriptor listener_;
  Descriptor signals_;
  Descriptor folder_watch_;  // inotify
  bool deserted_ = false;    // its folder was deleted: nobody will ever ask for it
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<api::ClusterEvent> untold_;  // while nobody listens; the oldest go
  bool done_ = false;

  pid_t pid_ = 0;
  bool isolated_ = false;
  Walls walls_;
  Limits limits_;
  std::int64_t memory_kills_ = 0;
  Descriptor out_, err_;
  std::int64_t started_ = 0;
  int tries_ = 0;  // in a row that did not last
  std::optional<After> stopping_;
  std::string stop_why_;

  std::unique_ptr<Probe> probe_;
  bool well_ = false;  // in this run of the command
  std::int64_t failed_ = 0;

  // Steady times; 0 for none.
  std::int64_t start_at_ = 0, kill_at_ = 0, settled_at_ = 0, probe_at_ = 0, probe_end_ = 0;
};

// main's `supervise`: the exit status of the process.
int Supervise(const char* folder);

}  // namespace ote::agent::process
