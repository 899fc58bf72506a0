#include "core/site/trainers/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "core/base/clock.h"
#include "core/base/descriptor.h"

namespace ote::site {
namespace {

using std::chrono::milliseconds;

tl::unexpected<Error> NotStarted(const ProcessPlan& plan, int error) {
  return Fail(ErrorId::kTrainerFailed,
              fmt::format("{}: it cannot be started: {}", plan.argv.front(), std::generic_category().message(error)));
}

Result<std::pair<Descriptor, Descriptor>> MakePipe(const ProcessPlan& plan) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return NotStarted(plan, errno);
  return std::pair{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

void Limit(__rlimit_resource which, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(which, &limit) == 0 && limit.rlim_max != RLIM_INFINITY) value = std::min(value, limit.rlim_max);
  limit = {value, value};
  ::setrlimit(which, &limit);
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void Become(const ProcessPlan& plan, char* const* argv, char* const* envp, pid_t parent, int output,
                         int verdict) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(077);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::dup3(verdict, 3, O_CLOEXEC);
  ::close_range(4, ~0U, 0);
  Limit(RLIMIT_CORE, 0);
  if (plan.memory > 0) Limit(RLIMIT_DATA, plan.memory);
  if (::chdir(plan.folder.c_str()) == 0) ::execve(argv[0], argv, envp);
  const int why = errno;
  (void)!::write(3, &why, sizeof why);
  ::_exit(127);
}

// When memory is short, it goes before the agent. Once it is another program: until then it hides what it had of ours,
// and with it this file.
void GoesFirst(pid_t child) {
  const Descriptor score(::open(fmt::format("/proc/{}/oom_score_adj", child).c_str(), O_WRONLY | O_CLOEXEC));
  if (score.get() >= 0) (void)!::write(score.get(), "500", 3);
}

// What is in the pipe now; whether there may come more.
bool Drain(int fd, const std::function<void(std::string_view)>& output, std::size_t most) {
  std::array<char, 16384> buffer;  // NOLINT: filled by read
  for (std::size_t taken = 0; taken < most;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    output({buffer.data(), static_cast<std::size_t>(got)});
    taken += static_cast<std::size_t>(got);
  }
  return true;
}

// Reaps it. Its group is killed first, while its number cannot have been given to another.
int End(pid_t child) {
  ::kill(-child, SIGKILL);
  ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

enum class Why { kEnded, kTimedOut, kStopped };

// Until it ends by itself, or should be ended.
Why Watch(int pidfd, int output_fd, int stop_fd, milliseconds end,
          const std::function<void(std::string_view)>& output) {
  const SystemClock clock;
  bool open = true;
  for (;;) {
    const auto left = end - clock.SteadyNow();
    if (left.count() <= 0) return Why::kTimedOut;
    std::array<pollfd, 3> watched{{{pidfd, POLLIN, 0}, {stop_fd, POLLIN, 0}, {open ? output_fd : -1, POLLIN, 0}}};
    const int ready =
        ::poll(watched.data(), watched.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30)));
    if (ready < 0 && errno != EINTR) return Why::kTimedOut;
    if (ready <= 0) continue;
    if (watched[1].revents != 0) return Why::kStopped;
    if (watched[2].revents != 0) open = Drain(output_fd, output, 1 << 20);
    if (watched[0].revents != 0) return Why::kEnded;
  }
}

}  // namespace

Result<ProcessEnd> RunProcess(const ProcessPlan& plan, const std::function<void(std::string_view)>& output,
                              const std::stop_token& stop) {
  if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "stopped");
  OTE_TRY(auto lines, MakePipe(plan));
  OTE_TRY(auto verdict, MakePipe(plan));
  Descriptor stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (stopped.get() < 0) return NotStarted(plan, errno);
  ::fcntl(lines.first.get(), F_SETFL, O_NONBLOCK);
  // The child must not find its end of a pipe where it is about to put another file.
  for (auto* fd : {&lines.second, &verdict.second}) {
    const int moved = ::fcntl(fd->get(), F_DUPFD_CLOEXEC, 10);
    if (moved < 0) return NotStarted(plan, errno);
    *fd = Descriptor(moved);
  }
  auto words = plan.argv;
  auto variables = plan.environment;
  const auto argv = Pointers(words);
  const auto envp = Pointers(variables);

  const SystemClock clock;
  const auto begun = clock.SteadyNow();
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return NotStarted(plan, errno);
  if (child == 0) Become(plan, argv.data(), envp.data(), self, lines.second.get(), verdict.second.get());
  lines.second.Close();
  verdict.second.Close();
  int error = 0;
  ssize_t told = 0;
  while ((told = ::read(verdict.first.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (told == sizeof error) {
    End(child);
    return NotStarted(plan, error);
  }
  GoesFirst(child);
  // Not by its name: the header of glibc 2.36 forgets that it is a C function.
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (pidfd.get() < 0) {
    const int why = errno;
    End(child);
    return NotStarted(plan, why);
  }
  Why why = Why::kEnded;
  {
    const std::stop_callback wake(stop, [fd = stopped.get()] { ::eventfd_write(fd, 1); });
    why = Watch(pidfd.get(), lines.first.get(), stopped.get(), begun + plan.timeout, output);
  }
  const int status = End(child);
  Drain(lines.first.get(), output, 1 << 20);
  if (why == Why::kStopped) return Fail(ErrorId::kInterrupted, "stopped");
  ProcessEnd end;
  end.seconds = std::chrono::duration<double>(clock.SteadyNow() - begun).count();
  if (why == Why::kTimedOut) {
    end.how = ProcessEnd::How::kTimedOut;
  } else if (WIFSIGNALED(status)) {
    end.how = ProcessEnd::How::kSignalled;
    end.number = WTERMSIG(status);
  } else {
    end.number = WEXITSTATUS(status);
  }
  return end;
}

std::string FindProgram(const std::string& word) {
  const auto runs = [](const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
  };
  if (word.find('/') != std::string::npos) return word.starts_with('/') && runs(word) ? word : "";
  for (std::string_view rest = kProgramPath; !rest.empty();) {
    const auto end = std::min(rest.find(':'), rest.size());
    auto path = fmt::format("{}/{}", rest.substr(0, end), word);
    if (runs(path)) return path;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace ote::site
