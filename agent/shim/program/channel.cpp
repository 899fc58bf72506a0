#include "agent/shim/program/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "agent/shim/process/launch.h"
#include "core/base/json_builder.h"
#include "core/base/log.h"

namespace ote::agent::program {
namespace {

constexpr int kMostInFlight = 1000;
constexpr std::size_t kMostUnsent = 64 << 20;
constexpr std::size_t kSaid = 400;

// The agent's, but for what is about the agent itself.
std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "OTE_", 4) != 0 && std::strncmp(*variable, "NOTIFY_", 7) != 0)
      environment.emplace_back(*variable);
  }
  return environment;
}

}  // namespace

Channel::Channel(std::string command, std::filesystem::path folder, const Patience& patience, Ears ears)
    : command_(std::move(command)),
      folder_(std::move(folder)),
      patience_(patience),
      ears_(std::move(ears)),
      lines_(kLongestLine),
      start_at_(1),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Loop(); }) {}

Channel::~Channel() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  Wake();
  thread_.join();
}

void Channel::Wake() { ::eventfd_write(wake_.get(), 1); }

void Channel::Send(std::uint64_t run, std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (run != run_) return;
    unsent_ += line;
    if (unsent_.size() > kMostUnsent) broken_ = "it does not read what it is told";
  }
  Wake();
}

void Channel::Expect(std::int64_t id) {
  {
    const std::lock_guard lock(mutex_);
    expected_[id] = Now() + patience_.answer_ms;
  }
  Wake();
}

void Channel::Forget(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  expected_.erase(id);
}

void Channel::Break(std::uint64_t run, std::string why) {
  {
    const std::lock_guard lock(mutex_);
    if (run == run_) broken_ = std::move(why);
  }
  Wake();
}

void Channel::Taken() {
  if (in_flight_.fetch_sub(1) == kMostInFlight) Wake();
}

void Channel::Loop() {
  for (;;) {
    std::string broken;
    {
      const std::lock_guard lock(mutex_);
      if (quit_) break;
      broken = std::exchange(broken_, {});
    }
    if (pid_ != 0 && !broken.empty()) {
      End(broken);
    } else if (pid_ == 0 && start_at_ > 0 && start_at_ <= Now()) {
      Begin();
    } else {
      Wait();
    }
  }
  if (pid_ == 0) return;
  in_.Close();
  pollfd ended{pidfd_.get(), POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(patience_.farewell_ms));
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Channel::Begin() {
  start_at_ = 0;
  std::array<std::array<int, 2>, 3> ends{};
  std::vector<Descriptor> owned;
  for (auto& pipe : ends) {
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return End(std::strerror(errno));
    for (const int fd : pipe) owned.emplace_back(fd);
  }
  process::Launch launch;
  launch.argv = {"/bin/sh", "-c", "exec " + command_};
  launch.environment = Environment();
  launch.folder = folder_;
  launch.input = ends[0][0];
  launch.output = ends[1][1];
  launch.error = ends[2][1];
  auto pid = process::Start(launch);
  if (!pid) return End(pid.error().message);
  pid_ = *pid;
  pidfd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  in_ = std::move(owned[1]);
  out_ = std::move(owned[2]);
  err_ = std::move(owned[4]);
  for (const auto* fd : {&in_, &out_, &err_}) ::fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  lines_ = process::LineBuffer(kLongestLine);
  said_.clear();
  begun_ = Now();
  std::uint64_t run = 0;
  {
    const std::lock_guard lock(mutex_);
    run = ++run_;
    unsent_.clear();
    broken_.clear();
  }
  ears_.up(run);
}

// The run is over, whoever ended it.
void Channel::End(const std::string& why) {
  std::string how = why;
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    if (how.empty())
      how = WIFSIGNALED(status) ? fmt::format("ended by signal {}", WTERMSIG(status))
                                : fmt::format("exited with {}", WEXITSTATUS(status));
    ReadErrors();
    pid_ = 0;
    if (Now() - begun_ >= patience_.steady_ms) tries_ = 0;
  }
  while (!said_.empty() && said_.back() == '\n') said_.pop_back();
  if (!said_.empty()) how += ": " + codec::ForMessage(said_, kSaid);
  for (auto* fd : {&pidfd_, &in_, &out_, &err_}) fd->Close();
  {
    const std::lock_guard lock(mutex_);
    ++run_;
    unsent_.clear();
  }
  start_at_ = Now() + std::max<std::int64_t>(
                          1, std::min(patience_.back_off_most_ms, patience_.back_off_ms << std::min(tries_++, 20)));
  ears_.down(how);
}

int Channel::PatienceNow() {
  std::int64_t next = pid_ == 0 ? start_at_ : 0;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, at] : expected_) next = next == 0 ? at : std::min(next, at);
  return next == 0 ? -1 : static_cast<int>(std::clamp<std::int64_t>(next - Now(), 0, 1 << 30));
}

void Channel::Wait() {
  bool writing = false;
  {
    const std::lock_guard lock(mutex_);
    writing = !unsent_.empty();
  }
  std::array<pollfd, 5> fds{{{wake_.get(), POLLIN, 0},
                             {pidfd_.get(), POLLIN, 0},
                             {in_flight_ < kMostInFlight ? out_.get() : -1, POLLIN, 0},
                             {err_.get(), POLLIN, 0},
                             {writing ? in_.get() : -1, POLLOUT, 0}}};
  if (::poll(fds.data(), fds.size(), PatienceNow()) < 0) return;
  if (fds[0].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
  }
  if (fds[3].revents != 0) ReadErrors();
  if (fds[2].revents != 0) ReadLines();
  if (fds[4].revents != 0) WriteOut();
  std::vector<std::int64_t> late;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, at] : expected_) {
      if (at <= Now()) late.push_back(id);
    }
    for (const auto id : late) expected_.erase(id);
  }
  for (const auto id : late) ears_.late(id);
  if (fds[1].revents != 0 && pid_ != 0) {
    ReadLines();
    End({});
  }
}

void Channel::ReadLines() {
  std::array<char, 65536> buffer;  // NOLINT: filled by read
  while (out_ && in_flight_ < kMostInFlight) {
    const ssize_t got = ::read(out_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      // It ends, or lives on without anybody to hear it.
      out_.Close();
      pollfd ended{pidfd_.get(), POLLIN, 0};
      if (::poll(&ended, 1, 500) == 1) return;
      const std::lock_guard lock(mutex_);
      broken_ = "it closed its output";
      return;
    }
    const bool fine = lines_.Take({buffer.data(), static_cast<std::size_t>(got)}, [this](std::string_view line) {
      ++in_flight_;
      ears_.line(std::string(line));
    });
    if (fine) continue;
    out_.Close();
    const std::lock_guard lock(mutex_);
    broken_ = fmt::format("a line is longer than {} bytes", kLongestLine);
  }
}

void Channel::ReadErrors() {
  std::array<char, 4096> buffer;  // NOLINT: filled by read
  while (err_) {
    const ssize_t got = ::read(err_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) err_.Close();
    if (got <= 0) return;
    said_.append(buffer.data(), static_cast<std::size_t>(got));
    if (said_.size() > kSaid) said_.erase(0, said_.size() - kSaid);
  }
}

void Channel::WriteOut() {
  const std::lock_guard lock(mutex_);
  while (in_ && !unsent_.empty()) {
    const ssize_t put = ::write(in_.get(), unsent_.data(), std::min<std::size_t>(unsent_.size(), 65536));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) {
      in_.Close();
      broken_ = "it closed its input";
      return;
    }
    unsent_.erase(0, static_cast<std::size_t>(put));
  }
}

}  // namespace ote::agent::program
