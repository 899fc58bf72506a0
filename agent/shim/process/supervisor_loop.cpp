#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/shim/process/files.h"
#include "agent/shim/process/supervisor.h"
#include "core/base/files.h"
#include "crypto/secret.h"

namespace ote::agent::process {
namespace {

using api::AppPhase;
constexpr std::size_t kMostClients = 16;
constexpr std::size_t kMostUnsent = 1 << 20;

}  // namespace

int Supervisor::Patience(std::int64_t now) const {
  std::int64_t next = -1;
  for (const auto at : {start_at_, kill_at_, settled_at_, probe_at_, probe_end_}) {
    if (at > 0 && (next < 0 || at < next)) next = at;
  }
  return next < 0 ? -1 : static_cast<int>(std::clamp<std::int64_t>(next - now, 0, 1 << 30));
}

void Supervisor::Wait() {
  std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0},
                             {listener_.get(), POLLIN, 0},
                             {out_.get(), POLLIN, 0},
                             {err_.get(), POLLIN, 0},
                             {probe_ ? probe_->fd() : -1, probe_ ? probe_->events() : short{0}, 0},
                             {folder_watch_.get(), POLLIN, 0}};
  const auto fixed = fds.size();
  for (const auto& client : clients_)
    fds.push_back({client->fd.get(), static_cast<short>(client->out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
  const int ready = ::poll(fds.data(), fds.size(), Patience(Now()));
  if (ready < 0) return;
  if (fds[2].revents != 0) Drain(out_, "out", false);
  if (fds[3].revents != 0) Drain(err_, "err", false);
  if (fds[4].revents != 0 && probe_) probe_->Ready();
  if (probe_ && probe_->Answer()) EndProbe();
  // What is said to one client may find another gone: none goes before all were served.
  for (std::size_t i = fixed; i < fds.size(); ++i) {
    if (fds[i].revents != 0) Serve(*clients_[i - fixed], fds[i].revents);
  }
  if (fds[5].revents != 0) LookAtFolder();
  if (fds[0].revents != 0) Reap();
  if (fds[1].revents != 0) Accept();
  if (!done_) Due();
  std::erase_if(clients_, [](const auto& client) { return client->gone; });
}

void Supervisor::Due() {
  const auto now = Now();
  const auto due = [now](std::int64_t& at) {
    if (at == 0 || at > now) return false;
    at = 0;
    return true;
  };
  if (due(start_at_)) TryStart();
  if (due(kill_at_)) Kill();
  if (due(settled_at_)) {
    state_.was_healthy = well_ = true;
    Set(AppPhase::kHealthy, state_.limits);
  }
  if (due(probe_at_)) BeginProbe();
  if (due(probe_end_) && probe_) {
    probe_->TimedOut();
    EndProbe();
  }
}

void Supervisor::LookAtFolder() {
  alignas(inotify_event) std::array<char, 4096> buffer;  // NOLINT: filled by read
  while (::read(folder_watch_.get(), buffer.data(), buffer.size()) > 0) {
  }
  struct stat info {};
  if (deserted_ || ::stat((folder_ / "spec.json").c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR)) return;
  deserted_ = true;
  Obey(Order::kStop);
}

void Supervisor::Reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM) Stop(After::kLeave);
  }
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (probe_) probe_->Reaped(pid, status);
    if (pid == pid_) Ended(status);
  }
  if (probe_ && probe_->Answer()) EndProbe();
}

void Supervisor::BeginProbe() {
  const auto& health = spec_.workload.health;
  if (pid_ == 0) return;
  probe_ = std::make_unique<Probe>(health, [this](const std::vector<std::string>& command) -> Result<pid_t> {
    const Descriptor null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    Launch launch;
    auto workload = spec_.workload;
    workload.command = command;
    const auto program = ProgramOf(folder_ / "work", workload);
    if (program.empty()) return Fail(ErrorId::kProcessFailed, command.front() + ": there is no such program here");
    launch.argv = command;
    launch.argv.front() = program.string();
    if (isolated_) launch.argv = WithinWalls(walls_, spec_, folder_, program, launch.argv);
    launch.environment = EnvironmentOf(spec_, folder_);
    launch.folder = folder_ / "work";
    launch.limits = limits_;
    launch.output = launch.error = null.get();
    return Start(launch);
  });
  probe_end_ = Now() + health.timeout_ms;
  if (probe_->Answer()) EndProbe();
}

void Supervisor::EndProbe() {
  const auto& health = spec_.workload.health;
  const std::string why = *probe_->Answer();
  probe_.reset();
  probe_end_ = 0;
  if (pid_ == 0 || stopping_) return;
  const auto now = Now();
  if (why.empty()) {
    failed_ = 0;
    probe_at_ = now + health.interval_ms;
    if (!well_) {
      well_ = state_.was_healthy = true;
      Set(AppPhase::kHealthy, state_.limits);
    }
    return;
  }
  const bool young = !well_ && now < started_ + health.start_ms;
  // Until it is up, it is asked more often, so that nobody waits for it longer than needed.
  probe_at_ = now + (young ? std::min<std::int64_t>(health.interval_ms, 500) : health.interval_ms);
  if (young) return;
  if (++failed_ < health.failures) return;
  stop_why_ = "unhealthy: " + why;
  Happened("unhealthy", why, true);
  Set(AppPhase::kDegraded, stop_why_, Error{ErrorId::kProcessFailed, {}, {}}.Code());
  Stop(After::kBackOff);
}

// `all` once it has ended, when nobody writes any more.
void Supervisor::Drain(Descriptor& pipe, const char* stream, bool all) {
  std::array<char, 16384> buffer;  // NOLINT: filled by read
  for (int turn = 0; pipe && (all || turn < 8); ++turn) {
    const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      pipe.Close();
      return;
    }
    log_.Write(stream, {buffer.data(), static_cast<std::size_t>(got)}, clock_.WallNow());
  }
}

void Supervisor::Accept() {
  Descriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd || ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  if ((peer.uid != ::geteuid() && peer.uid != 0) || clients_.size() >= kMostClients) return;
  clients_.push_back(std::make_unique<Client>());
  auto& client = *clients_.back();
  client.fd = std::move(fd);
  client.out = DumpJson(ToJson(SupervisorLine{state_, {}})) + "\n";
  for (const auto& event : untold_) client.out += DumpJson(ToJson(SupervisorLine{{}, event})) + "\n";
  untold_.clear();
  Flush(client);
}

void Supervisor::Serve(Client& client, short events) {
  if ((events & POLLOUT) != 0) Flush(client);
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0 || client.gone) return;
  std::array<char, 4096> buffer;  // NOLINT: filled by recv
  const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    client.gone = true;
    return;
  }
  const bool fine =
      client.in.Take({buffer.data(), static_cast<std::size_t>(got)}, [this, &client](std::string_view line) {
        if (const auto order = ParseOrder(line)) {
          Obey(*order);
        } else {
          client.gone = true;
        }
      });
  if (!fine) client.gone = true;
}

void Supervisor::Send(const SupervisorLine& line) {
  if (clients_.empty()) return;
  const auto text = DumpJson(ToJson(line)) + "\n";
  for (const auto& client : clients_) {
    if (client->gone) continue;
    client->out += text;
    Flush(*client);
  }
}

void Supervisor::Flush(Client& client) {
  while (!client.out.empty()) {
    const ssize_t put = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      if (errno != EAGAIN || client.out.size() > kMostUnsent) client.gone = true;
      return;
    }
    client.out.erase(0, static_cast<std::size_t>(put));
  }
}

int Supervise(const char* path) {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  ::umask(0077);
  crypto::Init();
  // A short name for the socket: the path of one has at most 107 characters.
  std::error_code error;
  if (::chdir(path) != 0) return 1;
  const auto folder = std::filesystem::current_path(error);
  if (error) return 1;
  const Descriptor lock(::open("lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? 0 : 1;
  auto spec = ReadSpec(folder);
  if (!spec) {
    LogWriter(folder, 1 << 20, 1).Write("ote", spec.error().message + "\n", SystemClock().WallNow());
    return 1;
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : {SIGCHLD, SIGTERM}) sigaddset(&taken, signal);
  ::sigprocmask(SIG_SETMASK, &taken, nullptr);
  Descriptor signals(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "socket.new");
  ::unlink(address.sun_path);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16) != 0 || ::rename("socket.new", "socket") != 0)
    return 1;
  // Whoever started us waits for this descriptor to be closed.
  ::close(STDIN_FILENO);
  (void)::open("/dev/null", O_RDONLY | O_CLOEXEC);
  Supervisor(folder, std::move(*spec), std::move(listener), std::move(signals)).Run();
  ::unlink("socket");
  return 0;
}

}  // namespace ote::agent::process
