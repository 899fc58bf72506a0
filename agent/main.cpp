// ote-agent: the cluster controller, the same program at every tier.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "agent/node.h"
#include "agent/shim/process/supervisor.h"
#include "core/base/log.h"
#include "core/base/log_sink.h"
#include "core/base/version.h"
#include "core/store/watch_file.h"
#include "core/wire/zmq_transport.h"
#include "crypto/secret.h"

namespace {

using namespace ote;

constexpr const char* kUsage =
    "usage: ote-agent --state DIR [--ready-fd N] [--log-level debug|info|warn|error] [--log-format text|json]\n"
    "                 [--bulk-port N|off] [--audit-reads yes|no]\n"
    "\n"
    "Runs the agent of a state folder in the foreground. `ote cluster init`, `join` and `start` call it; see "
    "ote-agent(8).\n";

struct Arguments {
  std::string state;
  int ready_fd = -1;
  log::Level level = log::Level::kInfo;
  std::optional<log::Format> format;
  wire::BulkOptions bulk;
  bool audit_reads = false;
  bool core_dumps = false;
};

// A port, 0 for one that the system picks, or off.
Result<wire::BulkOptions> ParseBulkPort(const std::string& where, const std::string& text) {
  wire::BulkOptions bulk;
  if (text == "off") {
    bulk.use = false;
    return bulk;
  }
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), bulk.port);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || bulk.port < 0 || bulk.port > 65'535)
    return Fail(ErrorId::kUsage, where + ": neither a port nor off");
  return bulk;
}

Result<bool> ParseYes(const std::string& where, const std::string& text) {
  if (text != "yes" && text != "no") return Fail(ErrorId::kUsage, where + ": neither yes nor no");
  return text == "yes";
}

Result<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  std::string bulk_port;
  std::string audit_reads;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (i + 1 >= argc) return Fail(ErrorId::kUsage, flag + ": needs a value, or is not known", "ote-agent --help");
    const std::string value = argv[++i];
    if (flag == "--state") {
      arguments.state = value;
    } else if (flag == "--ready-fd") {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), arguments.ready_fd);
      if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size())
        return Fail(ErrorId::kUsage, "--ready-fd: not a number");
    } else if (flag == "--log-level") {
      arguments.level = log::ParseLevel(value, log::Level::kInfo);
    } else if (flag == "--log-format") {
      if (value != "json" && value != "text") return Fail(ErrorId::kUsage, "--log-format: neither text nor json");
      arguments.format = value == "json" ? log::Format::kJson : log::Format::kText;
    } else if (flag == "--bulk-port") {
      bulk_port = value;
    } else if (flag == "--audit-reads") {
      audit_reads = value;
    } else {
      return Fail(ErrorId::kUsage, flag + ": no such flag", "ote-agent --help");
    }
  }
  if (arguments.state.empty()) {
    if (const char* state = std::getenv("OTE_STATE")) arguments.state = state;
  }
  if (!audit_reads.empty()) {
    OTE_TRY(arguments.audit_reads, ParseYes("--audit-reads", audit_reads));
  } else if (const char* reads = std::getenv("OTE_AUDIT_READS")) {
    OTE_TRY(arguments.audit_reads, ParseYes("OTE_AUDIT_READS", reads));
  }
  if (const char* cores = std::getenv("OTE_CORE_DUMPS")) {
    OTE_TRY(arguments.core_dumps, ParseYes("OTE_CORE_DUMPS", cores));
  }
  const char* from_environment = std::getenv("OTE_BULK_PORT");
  if (!bulk_port.empty()) {
    OTE_TRY(arguments.bulk, ParseBulkPort("--bulk-port", bulk_port));
  } else if (from_environment != nullptr) {
    OTE_TRY(arguments.bulk, ParseBulkPort("OTE_BULK_PORT", from_environment));
  }
  if (arguments.state.empty()) return Fail(ErrorId::kUsage, "--state: which state folder?", "ote-agent --help");
  return arguments;
}

// Tells whoever started us, by the descriptor that it passed, and systemd, by sd_notify(3)'s datagram.
void Tell(int ready_fd, const std::string& line, const char* notify) {
  if (ready_fd >= 0) {
    [[maybe_unused]] const auto written = ::write(ready_fd, line.data(), line.size());
    ::close(ready_fd);
  }
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || notify == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ::sendto(fd, notify, std::strlen(notify), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
  ::close(fd);
}

// The format that the state folder asks for, and the name that JSON lines carry. What cannot be read is told by Node.
void ConfigureLog(const Arguments& arguments) {
  const store::StateFolder folder{arguments.state};
  auto format = arguments.format.value_or(log::Format::kText);
  if (const auto watch = store::LoadWatch(folder); watch && !arguments.format && watch->log_format == "json")
    format = log::Format::kJson;
  log::Configure(arguments.level, format);
  if (const auto member = folder.LoadMembership()) log::SetAgent(member->name);
}

int Report(const Error& error, int ready_fd) {
  std::fprintf(stderr, "ote-agent: error: %s [%s]\n", error.message.c_str(), error.Code().c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "ote-agent: hint: %s\n", error.hint.c_str());
  const Json line = {{"code", static_cast<int>(error.id)}, {"message", error.message}, {"hint", error.hint}};
  Tell(ready_fd, "error " + DumpJson(line) + "\n", nullptr);
  return static_cast<int>(error.ExitStatus());
}

}  // namespace

int main(int argc, char** argv) {
  // The process shim starts this program again to stand over a replica.
  if (argc == 3 && std::strcmp(argv[1], "supervise") == 0) return agent::process::Supervise(argv[2]);
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("ote-agent %s (%s)\n", std::string(Version()).c_str(), std::string(Commit()).c_str());
    return 0;
  }
  const auto arguments = Parse(argc, argv);
  if (!arguments) return Report(arguments.error(), -1);

  // One arena, given back early: the agent is small when it is idle.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::umask(0077);
  if (!arguments->core_dumps) crypto::HideMemory();
  crypto::Init();
  ConfigureLog(*arguments);

  // Signals are waited for in a thread of their own, so every other thread must not take them.
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  const SystemClock clock;
  wire::ZmqOptions wiring;
  wiring.bulk = arguments->bulk;
  auto node = agent::Node::Open(arguments->state, clock,
                                [&wiring](const crypto::TransportKey* key, wire::Admission* admission) {
                                  return wire::MakeZmqTransport(key, admission, wiring);
                                });
  if (node) (*node)->AuditReads(arguments->audit_reads);
  if (!node) return Report(node.error(), arguments->ready_fd);

  // What SIGHUP means for a detached process, the end of its terminal, does not concern it.
  std::jthread waiter([&node, signals] {
    for (;;) {
      int signal = 0;
      if (::sigwait(&signals, &signal) == 0 && signal != SIGHUP) return (*node)->Stop();
    }
  });
  log::Info("ready", {{"cluster", (*node)->membership().name}, {"pid", static_cast<int>(::getpid())}});
  Tell(arguments->ready_fd, "ready\n", "READY=1");
  (*node)->Run();
  log::Info("stopping");
  // It may have been a request that stopped us, and the waiter still waits.
  ::pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  return 0;
}
