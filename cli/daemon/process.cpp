#include "cli/daemon/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/descriptor.h"

extern char** environ;

namespace ote::cli {
namespace {

using std::chrono::milliseconds;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Fail(ErrorId::kFailed, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// Until the other side closes the pipe.
Result<std::string> ReadAll(int fd, milliseconds patience) {
  const SystemClock clock;
  const milliseconds end = clock.SteadyNow() + patience;
  std::string text;
  while (true) {
    const milliseconds left = end - clock.SteadyNow();
    pollfd watched{fd, POLLIN, 0};
    const int ready =
        left.count() <= 0 ? 0 : ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30)));
    if (ready == 0) return Fail(ErrorId::kTimedOut, "no answer");
    if (ready < 0 && errno == EINTR) continue;
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void Become(const char* program, char* const* argv, char* const* envp, int log, int ready) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  ::umask(077);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  // The pipe must not be where it is about to be put over something else: 3 may be the log.
  const int moved = ::fcntl(ready, F_DUPFD, 10);
  ::dup2(moved, 3);
  ::close_range(4, ~0U, 0);
  if (::chdir("/") == 0) ::execve(program, argv, envp);
  const char* const why = std::strerror(errno);
  constexpr std::string_view kBegin = "error {\"code\":\"OTE-E0505\",\"message\":\"";
  constexpr std::string_view kEnd = "\",\"hint\":\"\"}\n";
  (void)!::write(3, kBegin.data(), kBegin.size());
  (void)!::write(3, why, std::strlen(why));
  (void)!::write(3, kEnd.data(), kEnd.size());
  ::_exit(127);
}

}  // namespace

Result<std::string> StartDetached(const DetachedProcess& process, milliseconds patience) {
  Descriptor log(::open(process.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) {
    return Fail(ErrorId::kFileFailed, fmt::format("{}: {}", process.log.string(), std::strerror(errno)));
  }
  OTE_TRY(Pipe pipe, MakePipe());
  std::vector<std::string> arguments{process.program.string()};
  arguments.insert(arguments.end(), process.arguments.begin(), process.arguments.end());
  arguments.insert(arguments.end(), {"--ready-fd", "3"});
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::find(process.drop_variables, name) == process.drop_variables.end()) variables.emplace_back(text);
  }
  const auto argv = Pointers(arguments);
  const auto envp = Pointers(variables);
  const pid_t child = ::fork();
  if (child < 0) return Fail(ErrorId::kAgentStart, fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) {
    // The second fork gives the agent to init, so that it leaves no zombie behind at us, and no terminal.
    ::setsid();
    const pid_t agent = ::fork();
    if (agent != 0) ::_exit(agent < 0 ? 1 : 0);
    Become(process.program.c_str(), argv.data(), envp.data(), log.get(), pipe.write.get());
  }
  pipe.write.Close();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return ReadAll(pipe.read.get(), patience);
}

Result<int> RunQuietly(const std::vector<std::string>& words, std::string* output, milliseconds patience) {
  OTE_TRY(Pipe pipe, MakePipe());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe.write.get(), STDOUT_FILENO);
  std::vector<std::string> copy = words;
  const auto argv = Pointers(copy);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Fail(ErrorId::kNotFound, fmt::format("{}: {}", words.front(), std::strerror(failed)));
  pipe.write.Close();
  auto text = ReadAll(pipe.read.get(), patience);
  if (!text) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text) return Fail(std::move(text).error().Context(words.front()));
  if (output != nullptr) *output = std::move(*text);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace ote::cli
