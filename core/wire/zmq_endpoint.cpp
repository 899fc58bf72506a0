#include "core/wire/zmq_endpoint.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ote::wire {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";
constexpr std::size_t kLongestPath = 100;  // sockaddr_un holds 108, with the final zero

tl::unexpected<Error> Invalid(const std::string& text, const std::string& why) {
  return Fail(ErrorId::kEndpointInvalid, "endpoint " + text + ": " + why);
}

std::string SystemError() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): glibc's is

Result<Endpoint> ParseTcp(const std::string& text) {
  Endpoint out{Scheme::kTcp, text, {}, {}, {}};
  const std::string rest = text.substr(kTcp.size());
  const auto colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0) return Invalid(text, "needs a host and a port");
  out.host = rest.substr(0, colon);
  out.port = rest.substr(colon + 1);
  const bool bracketed = out.host.starts_with('[') && out.host.ends_with(']') && out.host.size() > 2;
  if (!bracketed && out.host.find_first_of(":[]/;@ ") != std::string::npos) {
    return Invalid(text, "the host cannot be read; an IPv6 address stands in brackets");
  }
  const bool digits = !out.port.empty() && out.port.size() <= 5 &&
                      std::all_of(out.port.begin(), out.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoi(out.port) > 65'535) return Invalid(text, "the port is not a number from 0 to 65535");
  return out;
}

}  // namespace

FolderHandle::~FolderHandle() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Endpoint> ParseEndpoint(const std::string& text) {
  if (text.find('\0') != std::string::npos) return Invalid("", "holds a zero byte");
  if (text.starts_with(kTcp)) return ParseTcp(text);
  if (text.starts_with(kIpc)) {
    Endpoint out{Scheme::kIpc, text, {}, {}, text.substr(kIpc.size())};
    if (out.path.empty() || out.path.ends_with('/')) return Invalid(text, "needs the path of a socket");
    if (out.path.starts_with('@') || out.path == "*") return Invalid(text, "a control socket is a file");
    return out;
  }
  return Invalid(text, "is neither tcp://HOST:PORT nor ipc://PATH");
}

Result<std::string> ZmqAddress(const Endpoint& endpoint, FolderHandle* folder) {
  if (endpoint.scheme == Scheme::kTcp) {
    // ZeroMQ looks up no names when it binds; this one is worth knowing.
    return std::string(kTcp) + endpoint.host + ":" + endpoint.port;
  }
  if (endpoint.path.size() <= kLongestPath) return std::string(kIpc) + endpoint.path;
  const auto slash = endpoint.path.rfind('/');
  const std::string name = slash == std::string::npos ? endpoint.path : endpoint.path.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : endpoint.path.substr(0, slash);
  const int fd = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Invalid(endpoint.text, parent + ": " + SystemError());
  *folder = FolderHandle(fd);
  const std::string path = "/proc/self/fd/" + std::to_string(fd) + "/" + name;
  if (path.size() > kLongestPath) return Invalid(endpoint.text, "the name of the socket is too long");
  return std::string(kIpc) + path;
}

Result<void> ClearStaleSocket(const Endpoint& endpoint, const std::string& address) {
  const std::string path = address.substr(kIpc.size());
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return Invalid(endpoint.text, SystemError());
    const auto slash = path.rfind('/');
    if (slash != std::string::npos && slash != 0 && ::access(path.substr(0, slash).c_str(), F_OK) != 0) {
      return Invalid(endpoint.text, "its folder does not exist");
    }
    return {};
  }
  if (!S_ISSOCK(info.st_mode)) return Invalid(endpoint.text, "a file that is not a socket is there");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(ErrorId::kFailed, "listen on " + endpoint.text + ": " + SystemError());
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const int rc = ::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int why = rc == 0 ? 0 : errno;
  ::close(fd);
  if (why == ECONNREFUSED) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return Fail(ErrorId::kPermission, endpoint.text + ": " + SystemError());
    return {};
  }
  if (why == EACCES)
    return Fail(ErrorId::kPermission, "listen on " + endpoint.text + ": the socket there belongs to another user");
  return Fail(ErrorId::kPortInUse, "listen on " + endpoint.text + ": another agent listens there");
}

}  // namespace ote::wire
