#include "agent/shim/process/link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

namespace ote::agent::process {

Result<Descriptor> StartSupervisor(const std::filesystem::path& self, const std::filesystem::path& folder) {
  const auto failed = [&self](int error) {
    return Fail(ErrorId::kProcessFailed,
                fmt::format("{}: it cannot be started: {}", self.string(), std::generic_category().message(error)));
  };
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed(errno);
  Descriptor ready(ends[0]);
  Descriptor told(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
  ::close(ends[1]);
  if (!told) return failed(errno);
  std::string program = self.string(), verb = "supervise", where = folder.string(), path = "PATH=/usr/bin:/bin";
  std::array<char*, 4> argv = {program.data(), verb.data(), where.data(), nullptr};
  std::array<char*, 2> envp = {path.data(), nullptr};
  const pid_t child = ::fork();
  if (child < 0) return failed(errno);
  if (child == 0) {
    // Between fork and exec: only calls that are safe there.
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild != 0) ::_exit(grandchild < 0 ? 1 : 0);
    for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
    ::dup2(told.get(), STDIN_FILENO);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    ::close_range(3, ~0U, 0);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return failed(EAGAIN);
  return ready;
}

Descriptor ReachSupervisor(const std::filesystem::path& folder) {
  // By the descriptor of the folder: the path of a socket has at most 107 characters.
  const Descriptor at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!at || !fd) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/socket", at.get());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

bool SupervisorLives(const std::filesystem::path& folder) {
  const Descriptor lock(::open((folder / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

}  // namespace ote::agent::process
