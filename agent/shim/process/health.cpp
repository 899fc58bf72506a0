#include "agent/shim/process/health.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "core/base/json_builder.h"

namespace ote::agent::process {
namespace {

constexpr std::size_t kMostHead = 4096;

std::string Words(int error) { return std::generic_category().message(error); }

}  // namespace

std::optional<int> HttpStatus(std::string_view answer) {
  constexpr std::string_view kBegin = "HTTP/1.";
  const auto known = std::min(answer.size(), kBegin.size());
  if (answer.substr(0, known) != kBegin.substr(0, known)) return 0;
  const auto end = answer.find('\n');
  if (end == std::string_view::npos) return answer.size() > kMostHead ? std::optional<int>(0) : std::nullopt;
  // "HTTP/1.1 200 OK"
  const auto line = answer.substr(0, end);
  if (line.size() < 12 || line[8] != ' ') return 0;
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + (c - '0');
  }
  return line.size() > 12 && line[12] != ' ' && line[12] != '\r' ? 0 : status;
}

Probe::Probe(const api::HealthCheck& check, const Run& run) : check_(check) {
  if (check.kind == api::HealthKind::kNone) {
    Settle("");
  } else if (check.kind != api::HealthKind::kExec) {
    Connect();
  } else if (const auto pid = run(check.command)) {
    pid_ = *pid;
  } else {
    Settle(pid.error().message);
  }
}

Probe::~Probe() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
}

void Probe::Connect() {
  socket_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(check_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  events_ = POLLOUT;
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    Settle(fmt::format("port {}: {}", check_.port, Words(errno)));
}

void Probe::Ready() {
  if (answer_) return;
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Settle(fmt::format("port {}: {}", check_.port, Words(error)));
    connected_ = true;
    if (check_.kind == api::HealthKind::kTcp) return Settle("");
    const auto request = fmt::format(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: ote\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        check_.path.empty() ? "/" : check_.path, check_.port);
    // A request of this size fits into the buffer of a new connection.
    if (::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      return Settle(fmt::format("port {}: the request could not be sent", check_.port));
    events_ = POLLIN;
    return;
  }
  std::array<char, 2048> buffer;  // NOLINT: filled by recv
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) return Settle(fmt::format("port {}: closed before an answer", check_.port));
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  const auto status = HttpStatus(received_);
  if (!status) return;
  if (*status == 0) return Settle(fmt::format("port {}: what answers is not HTTP", check_.port));
  Settle(*status >= 200 && *status < 400
             ? std::string()
             : fmt::format("port {}: {} answered with {}", check_.port, check_.path, *status));
}

void Probe::Reaped(pid_t pid, int status) {
  if (pid != pid_) return;
  pid_ = 0;
  if (answer_) return;
  if (WIFSIGNALED(status))
    return Settle(fmt::format("{}: ended by signal {}", check_.command.front(), WTERMSIG(status)));
  Settle(WEXITSTATUS(status) == 0 ? std::string()
                                  : fmt::format("{}: exited with {}", check_.command.front(), WEXITSTATUS(status)));
}

void Probe::TimedOut() { Settle(fmt::format("no answer within {} ms", check_.timeout_ms)); }

void Probe::Settle(std::string why_not) {
  if (!answer_) answer_ = std::move(why_not);
  socket_.Close();
}

}  // namespace ote::agent::process
