#include "agent/shim/kubernetes/exec_plugin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <optional>

#include "agent/shim/kubernetes/json.h"
#include "core/base/descriptor.h"

namespace ote::kube {
namespace {

constexpr std::int64_t kPatience = 60'000;
constexpr std::size_t kMaxOutput = 1 << 20;

std::int64_t Now() { return SystemClock().SteadyNow().count(); }

std::vector<std::string> Environment(const ExecPlugin& plugin, const Credentials& credentials) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != text.npos) all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : plugin.env) all[name] = value;
  Json spec = {{"interactive", false}};
  if (plugin.cluster_info) {
    spec["cluster"] = {{"server", credentials.server}};
    if (!credentials.ca.empty()) {
      spec["cluster"]["certificate-authority-data"] = Base64Encode(AsBytes(credentials.ca));
    }
    if (!credentials.server_name.empty()) spec["cluster"]["tls-server-name"] = credentials.server_name;
  }
  all["KUBERNETES_EXEC_INFO"] =
      DumpJson(Json{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}});
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// All that comes until the end of the file; false when it takes too long or is too much.
bool ReadAll(int fd, std::int64_t deadline, std::string& out) {
  char buffer[4096];
  for (;;) {
    const std::int64_t left = deadline - Now();
    pollfd wait{fd, POLLIN, 0};
    if (left <= 0) return false;
    const int ready = ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > kMaxOutput) return false;
  }
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(buffer), sizeof buffer});
  return true;
}

// Whether the process ends in time.
bool AwaitEnd(pid_t child, std::int64_t deadline) {
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd wait{process.get(), POLLIN, 0};
  int ready = -1;
  do {
    ready = process ? ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(0, deadline - Now()))) : 0;
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Result<Auth> RunExecPlugin(const ExecPlugin& plugin, const Credentials& credentials, const std::stop_token& stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Fail(ErrorId::kKubeConfig, fmt::format("exec: no pipe: {}", std::strerror(errno)));
  }
  Descriptor read(ends[0]);
  Descriptor write(ends[1]);
  std::vector<std::string> words{plugin.command};
  words.insert(words.end(), plugin.args.begin(), plugin.args.end());
  auto lines = Environment(plugin, credentials);
  const auto argv = Pointers(words);
  const auto envp = Pointers(lines);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write.get(), STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    return Fail(ErrorId::kKubeConfig,
                fmt::format("exec: {} cannot be started: {}", plugin.command, std::strerror(failed)));
  }
  write.Close();
  std::string output;
  const auto kill = [child] { ::kill(-child, SIGKILL); };
  std::optional<std::stop_callback<decltype(kill)>> killer(std::in_place, stop, kill);
  const std::int64_t deadline = Now() + kPatience;
  const bool whole = ReadAll(read.get(), deadline, output);
  // Its output is closed, or no longer wanted: it has no more to do, and may not hold us up.
  if (!whole || !AwaitEnd(child, deadline)) ::kill(-child, SIGKILL);
  // It ends now; until it is reaped below its number is nobody else's.
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  killer.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  auto auth = ParseExecCredential(output, plugin.api_version);
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(output.data()), output.size()});
  if (!whole) return Fail(ErrorId::kKubeConfig, fmt::format("exec: {} took too long", plugin.command));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Fail(ErrorId::kKubeConfig, fmt::format("exec: {} failed with status {}", plugin.command,
                                                  WIFEXITED(status) ? WEXITSTATUS(status) : -1));
  }
  return auth;
}

}  // namespace ote::kube
