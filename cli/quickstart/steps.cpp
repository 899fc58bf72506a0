#include "cli/quickstart/steps.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ostream>

namespace ote::cli {
namespace {

constexpr std::chrono::seconds kLongestStep{120};

// A file descriptor that is closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { Close(); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Result<std::pair<Descriptor, Descriptor>> Pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(ErrorId::kFailed, fmt::format("pipe: {}", std::strerror(errno)));
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

}  // namespace

Result<std::string> Steps::Run(const std::vector<std::string>& words) {
  std::string shown = "ote";
  for (const auto& word : words) shown += " " + word;
  return Run(words, {}, shown);
}

Result<std::string> Steps::Run(const std::vector<std::string>& words, const std::string& input,
                               const std::string& shown) {
  if (!context_.flags.quiet) context_.err << "$ " << shown << std::endl;
  if (stop_.stop_requested()) return Fail(ErrorId::kInterrupted, "quickstart: interrupted");
  return Spawn(words, input, Mode::kStep);
}

void Steps::RunQuietly(const std::vector<std::string>& words) {
  // What cannot be cleaned up is seen by the one who looks at the folder; there is nobody to tell.
  static_cast<void>(Spawn(words, {}, Mode::kCleanUp));
}

Result<std::string> Steps::Spawn(const std::vector<std::string>& words, const std::string& input, Mode mode) {
  OTE_TRY(auto from_child, Pipe());
  OTE_TRY(auto to_child, Pipe());
  std::vector<std::string> arguments{context_.program.string()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string home = (folder_ / "home").string();
  const bool silent = mode == Mode::kCleanUp || context_.flags.quiet;

  const pid_t pid = ::fork();
  if (pid < 0) return Fail(ErrorId::kFailed, fmt::format("cannot start {}: {}", argv[0], std::strerror(errno)));
  if (pid == 0) {
    ::dup2(to_child.first.get(), STDIN_FILENO);
    ::dup2(from_child.second.get(), STDOUT_FILENO);
    if (silent) {
      const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(null, STDERR_FILENO);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::setenv("OTE_HOME", home.c_str(), 1);
    for (const char* name : {"OTE_STATE", "OTE_CONTEXT", "OTE_TOKEN"}) ::unsetenv(name);
    if (::chdir(folder_.c_str()) == 0) ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  from_child.second.Close();
  to_child.first.Close();
  // A token is shorter than a pipe's buffer: this does not block.
  if (!input.empty() && ::write(to_child.second.get(), input.data(), input.size()) < 0) ::kill(pid, SIGTERM);
  to_child.second.Close();

  // Ctrl-C on a terminal has reached it already; a signal to us alone has not.
  const std::stop_callback forward(mode == Mode::kStep ? stop_ : std::stop_token(), [pid] { ::kill(pid, SIGTERM); });
  std::string output;
  const auto deadline = std::chrono::steady_clock::now() + kLongestStep;
  bool late = false;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 && !late) {
      late = true;
      ::kill(pid, SIGKILL);
    }
    pollfd ready{from_child.first.get(), POLLIN, 0};
    if (::poll(&ready, 1, late ? -1 : static_cast<int>(left.count()) + 1) <= 0) continue;
    char buffer[4096];
    const auto count = ::read(from_child.first.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    output.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (mode == Mode::kStep && stop_.stop_requested()) return Fail(ErrorId::kInterrupted, "quickstart: interrupted");
  if (late)
    return Fail(ErrorId::kTimedOut, fmt::format("ote {}: took longer than {} s", words.front(), kLongestStep.count()));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Fail(ErrorId::kFailed,
                fmt::format("the step `ote {} {}` failed with status {}", words.front(),
                            words.size() > 1 ? words[1] : "", WIFEXITED(status) ? WEXITSTATUS(status) : 128));
  }
  return output;
}

}  // namespace ote::cli
