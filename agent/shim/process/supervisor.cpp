#include "agent/shim/process/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "agent/shim/process/files.h"
#include "core/base/files.h"

namespace ote::agent::process {
namespace {

using api::AppPhase;

std::string HowItEnded(int status) {
  if (!WIFSIGNALED(status)) return fmt::format("exited with {}", WEXITSTATUS(status));
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  return fmt::format("ended by SIG{}", name == nullptr ? std::to_string(WTERMSIG(status)) : name);
}

std::string Seconds(std::int64_t ms) {
  return ms % 1000 == 0 ? fmt::format("{} s", ms / 1000) : fmt::format("{} ms", ms);
}

}  // namespace

Supervisor::Supervisor(std::filesystem::path folder, ReplicaSpec spec, Descriptor listener, Descriptor signals)
    : folder_(std::move(folder)),
      spec_(std::move(spec)),
      log_(folder_, spec_.patience.log_bytes, spec_.patience.log_files),
      listener_(std::move(listener)),
      signals_(std::move(signals)),
      folder_watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  ::inotify_add_watch(folder_watch_.get(), folder_.c_str(), IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR);
}

void Supervisor::Run() {
  bool finished = false;
  if (auto before = ReadState(folder_)) {
    EndLeftovers(*before, spec_, folder_);
    finished = before->finished && spec_.workload.restart != api::RestartPolicy::kAlways;
    state_.restarts = before->restarts + (before->pid > 0 ? 1 : 0);
    state_.was_healthy = before->was_healthy;
    state_.last_exit = before->last_exit;
    if (finished) state_ = *before;
  }
  if (!finished) TryStart();
  while (!done_) Wait();
}

void Supervisor::Set(AppPhase phase, std::string message, std::string code) {
  if (phase != state_.phase || state_.since == 0) state_.since = clock_.WallNow();
  state_.phase = phase;
  state_.message = std::move(message);
  state_.code = std::move(code);
  // Whoever deletes the folder would find a new file in it.
  if (deserted_) return;
  // What has ended for good must not begin again after a power cut; the rest does not outlive one anyway.
  (void)WriteFileAtomic(folder_ / "state.json", AsBytes(DumpJson(ToJson(state_))), 0600,
                        state_.finished ? Durability::kSynced : Durability::kBestEffort);
  Send({state_, {}});
}

void Supervisor::Happened(const std::string& kind, std::string message, bool warning) {
  log_.Write("ote", fmt::format("{}: {}\n", kind, message), clock_.WallNow());
  const api::ClusterEvent event{clock_.WallNow(), kind, spec_.name, std::move(message), warning, 1};
  if (clients_.empty()) {
    untold_.push_back(event);
    if (untold_.size() > 64) untold_.pop_front();
  }
  Send({{}, event});
}

void Supervisor::TryStart() {
  start_at_ = 0;
  if (auto checked = CheckFiles(folder_, spec_.workload); !checked) return NotStarted(checked.error());
  walls_ = spec_.workload.isolation == api::Isolation::kOff ? Walls() : FindWalls();
  isolated_ = !walls_.program.empty();
  const bool needs_walls = std::any_of(spec_.workload.files.begin(), spec_.workload.files.end(),
                                       [](const auto& file) { return file.path.starts_with('/'); });
  if (!isolated_ && (needs_walls || spec_.workload.isolation == api::Isolation::kRequire))
    return NotStarted({ErrorId::kIsolationAbsent, walls_.why_not, {}});

  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0) return NotStarted(FileError("making a pipe", folder_, errno));
  out_ = Descriptor(out[0]);
  const Descriptor to_out(out[1]);
  if (::pipe2(err, O_CLOEXEC) != 0) return NotStarted(FileError("making a pipe", folder_, errno));
  err_ = Descriptor(err[0]);
  const Descriptor to_err(err[1]);
  for (const int fd : {out[0], err[0]}) ::fcntl(fd, F_SETFL, O_NONBLOCK);

  Launch launch;
  const auto program = ProgramOf(folder_ / "work", spec_.workload);
  launch.argv = spec_.workload.command;
  launch.argv.front() = program.string();
  if (isolated_) launch.argv = WithinWalls(walls_, spec_, folder_, program, launch.argv);
  launch.environment = EnvironmentOf(spec_, folder_);
  launch.folder = folder_ / "work";
  launch.limits = limits_ = MakeLimits(spec_.workload.resources, spec_.app + "." + spec_.name, ReadGroupSources());
  launch.output = to_out.get();
  launch.error = to_err.get();
  auto pid = Start(launch);
  if (!pid) return NotStarted(pid.error());
  pid_ = *pid;
  started_ = Now();
  memory_kills_ = MemoryKills(limits_);
  well_ = false;
  failed_ = 0;
  state_.pid = pid_;
  state_.ticks = TicksOf(pid_);
  state_.boot = BootId();
  state_.group = JoinGroups(limits_.groups);
  state_.limits = limits_.means;
  if (isolated_) state_.limits += std::string(state_.limits.empty() ? "" : ", ") + "isolated by bubblewrap";
  const auto& health = spec_.workload.health;
  if (health.kind == api::HealthKind::kNone) {
    settled_at_ = started_ + std::max<std::int64_t>(1, health.start_ms);
  } else {
    probe_at_ = started_ + std::min<std::int64_t>(health.interval_ms, 200);
  }
  Happened("started", fmt::format("pid {}{}{}", pid_, state_.limits.empty() ? "" : "; ", state_.limits), false);
  Set(AppPhase::kProgressing, "starting");
}

void Supervisor::NotStarted(const Error& error) {
  out_.Close();
  err_.Close();
  state_.pid = state_.ticks = 0;
  const bool for_good =
      error.id == ErrorId::kExecutableAltered || error.id == ErrorId::kIsolationAbsent;  // time does not heal these
  Happened(error.id == ErrorId::kExecutableAltered ? "altered" : "not-started", error.message, true);
  std::string message = error.message;
  if (!for_good && spec_.workload.restart != api::RestartPolicy::kNever) {
    const auto wait = std::min(spec_.patience.back_off_most_ms, spec_.patience.back_off_ms << std::min(tries_++, 20));
    start_at_ = Now() + std::max<std::int64_t>(1, wait);
    message += fmt::format("; tried again in {}", Seconds(wait));
  }
  Set(AppPhase::kFailed, std::move(message), error.Code());
}

// Asks the command to end. In walls the first two processes are bubblewrap's own, which would take the command down
// at once: the ones below them are asked.
void Supervisor::Stop(After after) {
  stopping_ = after;
  if (pid_ == 0) {
    start_at_ = 0;
    return AfterEnd(true, "");
  }
  probe_at_ = settled_at_ = 0;
  probe_.reset();
  probe_end_ = 0;
  bool asked = false;
  if (isolated_) {
    const auto below = Below(pid_);
    for (std::size_t i = 1; i < below.size(); ++i) asked = ::kill(below[i], SIGTERM) == 0 || asked;
  }
  if (!asked) ::kill(-pid_, SIGTERM);
  kill_at_ = Now() + std::max<std::int64_t>(1, spec_.workload.stop_ms);
}

void Supervisor::Kill() {
  kill_at_ = 0;
  if (pid_ == 0) return;
  for (const pid_t below : Below(pid_)) ::kill(below, SIGKILL);
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  KillGroups(limits_.groups);
}

// What the command started and left: it came to this process, the nearest that takes orphans.
void Supervisor::KillRest() {
  for (int round = 0; round < 100; ++round) {
    const auto below = Below(::getpid());
    const bool some = KillGroups(limits_.groups);
    if (below.empty() && !some) break;
    for (const pid_t pid : below) ::kill(pid, SIGKILL);
    if (below.empty()) break;
    ::waitpid(-1, nullptr, 0);
  }
  RemoveGroups(limits_.groups);
}

void Supervisor::Ended(int status) {
  const pid_t pid = std::exchange(pid_, 0);
  kill_at_ = settled_at_ = probe_at_ = probe_end_ = 0;
  probe_.reset();
  ::kill(-pid, SIGKILL);
  std::string how = HowItEnded(status);
  if (MemoryKills(limits_) > memory_kills_)
    how += fmt::format(", for it wanted more memory than its {} bytes", spec_.workload.resources.memory);
  KillRest();
  Drain(out_, "out", true);
  Drain(err_, "err", true);
  log_.Flush(clock_.WallNow());
  out_.Close();
  err_.Close();
  state_.pid = state_.ticks = 0;
  state_.group.clear();
  state_.last_exit = how;
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  Happened("exited", how, !well && !stopping_);
  if (Now() - started_ >= spec_.patience.steady_ms) tries_ = 0;
  AfterEnd(well, how);
}

void Supervisor::AfterEnd(bool well, const std::string& why) {
  const auto after = std::exchange(stopping_, std::nullopt);
  if (after == After::kExit) return Finish(AppPhase::kRemoved);
  if (after == After::kLeave) return Finish(AppPhase::kPending);
  if (after == After::kAgain) {
    ++state_.restarts;
    tries_ = 0;
    Happened("restarted", "as it was ordered", false);
    return TryStart();
  }
  const bool unhealthy = after == After::kBackOff;
  const auto policy = spec_.workload.restart;
  if (policy == api::RestartPolicy::kNever || (policy == api::RestartPolicy::kOnFailure && well && !unhealthy)) {
    state_.finished = true;
    if (well && !unhealthy) {
      state_.was_healthy = true;
      return Set(AppPhase::kHealthy, "finished: " + why);
    }
    return Set(AppPhase::kFailed, unhealthy ? stop_why_ : why, Error{ErrorId::kProcessFailed, {}, {}}.Code());
  }
  const auto wait = std::min(spec_.patience.back_off_most_ms, spec_.patience.back_off_ms << std::min(tries_++, 20));
  start_at_ = Now() + std::max<std::int64_t>(1, wait);
  ++state_.restarts;
  const auto message = fmt::format("{}; started again in {}", unhealthy ? stop_why_ : why, Seconds(wait));
  Happened("restarted", message, true);
  Set(AppPhase::kDegraded, message, Error{ErrorId::kProcessFailed, {}, {}}.Code());
}

void Supervisor::Finish(AppPhase phase) {
  KillRest();
  Set(phase, "");
  done_ = true;
}

void Supervisor::Obey(Order order) {
  if (order == Order::kStop) {
    if (!stopping_ || pid_ == 0) return Stop(After::kExit);
    stopping_ = After::kExit;
    return;
  }
  state_.finished = false;
  if (!stopping_) return Stop(After::kAgain);
  if (*stopping_ == After::kBackOff) stopping_ = After::kAgain;
}

}  // namespace ote::agent::process
