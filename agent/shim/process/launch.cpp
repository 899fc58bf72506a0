#include "agent/shim/process/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <sstream>
#include <system_error>

#include "core/base/files.h"
#include "core/site/trainers/process.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void Become(const Launch& launch, char* const* argv, char* const* envp, pid_t parent, int verdict) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(022);
  EnterLimits(launch.limits);
  const int input = launch.input < 0 ? ::open("/dev/null", O_RDONLY) : launch.input;
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  ::dup2(launch.output, STDOUT_FILENO);
  ::dup2(launch.error, STDERR_FILENO);
  // When memory is short, it goes before its supervisor.
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY);
  if (score >= 0) (void)!::write(score, "200", 3);
  ::dup3(verdict, 3, O_CLOEXEC);
  ::close_range(4, ~0U, 0);
  if (::chdir(launch.folder.c_str()) == 0) ::execve(argv[0], argv, envp);
  const int why = errno;
  (void)!::write(3, &why, sizeof why);
  ::_exit(127);
}

Result<pid_t> Failed(const Launch& launch, int error) {
  return Fail(ErrorId::kProcessFailed,
              fmt::format("{}: it cannot be started: {}", launch.argv.front(), std::generic_category().message(error)));
}

std::string ReadProc(pid_t pid, const char* name) {
  auto text = ReadTextFile(fmt::format("/proc/{}/{}", pid, name), 1 << 20);
  return text ? std::move(*text) : std::string();
}

// A folder that has more in it than one program: not to be shown whole.
bool IsWide(const fs::path& folder) {
  return folder == "/" || folder.parent_path() == "/" || folder.parent_path() == "/home";
}

}  // namespace

Result<pid_t> Start(const Launch& launch) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Failed(launch, errno);
  const Descriptor verdict(ends[0]);
  Descriptor told(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
  ::close(ends[1]);
  Descriptor output(::fcntl(launch.output, F_DUPFD_CLOEXEC, 10)), error(::fcntl(launch.error, F_DUPFD_CLOEXEC, 10));
  if (!told || !output || !error) return Failed(launch, errno);
  auto copy = launch;
  Descriptor input;
  if (launch.input >= 0) {
    input = Descriptor(::fcntl(launch.input, F_DUPFD_CLOEXEC, 10));
    copy.input = input.get();
  }
  copy.output = output.get();
  copy.error = error.get();
  const auto argv = Pointers(copy.argv);
  const auto envp = Pointers(copy.environment);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Failed(launch, errno);
  if (child == 0) Become(copy, argv.data(), envp.data(), self, told.get());
  told.Close();
  int why = 0;
  ssize_t got = 0;
  while ((got = ::read(verdict.get(), &why, sizeof why)) < 0 && errno == EINTR) {
  }
  if (got != sizeof why) return child;
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return Failed(launch, why);
}

std::vector<std::string> EnvironmentOf(const ReplicaSpec& spec, const fs::path& folder) {
  std::map<std::string, std::string> all = {{"PATH", std::string(site::kProgramPath)},
                                            {"HOME", (folder / "work").string()},
                                            {"TMPDIR", (folder / "tmp").string()}};
  for (const auto& [name, value] : spec.workload.env) all[name] = value;
  all["OTE_APP"] = spec.app;
  all["OTE_REPLICA"] = spec.name;
  all["OTE_CLUSTER"] = spec.cluster;
  std::vector<std::string> environment;
  for (const auto& [name, value] : all) environment.push_back(name + "=" + value);
  return environment;
}

Walls FindWalls() {
  const auto bwrap = site::FindProgram("bwrap");
  if (bwrap.empty()) return {{}, "bubblewrap (bwrap) is not installed"};
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Launch probe;
  probe.argv = {
      bwrap,   "--unshare-all", "--share-net", "--die-with-parent",      "--ro-bind", "/", "/", "--proc", "/proc",
      "--dev", "/dev",          "--",          site::FindProgram("true")};
  probe.folder = "/";
  probe.output = probe.error = null.get();
  const auto pid = Start(probe);
  int status = -1;
  if (pid) {
    while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (status == 0) return {bwrap, {}};
  return {{}, "bubblewrap may not make walls here"};
}

std::vector<std::string> WithinWalls(const Walls& walls, const ReplicaSpec& spec, const fs::path& folder,
                                     const fs::path& program, const std::vector<std::string>& argv) {
  std::vector<std::string> words = {walls.program, "--unshare-all", "--share-net", "--die-with-parent",
                                    "--cap-drop",  "ALL",           "--ro-bind",   "/",
                                    "/",           "--proc",        "/proc",       "--dev",
                                    "/dev"};
  const auto add = [&words](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  for (const char* hidden : {"/root", "/home", "/run", "/var/tmp"}) {
    std::error_code ignored;
    if (fs::is_directory(fs::symlink_status(hidden, ignored))) add({"--tmpfs", hidden});
  }
  add({"--bind", (folder / "tmp").string(), "/tmp"});
  add({"--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve"});
  std::vector<std::string> devices = {
      "/dev/dri", "/dev/kfd", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-caps"};
  for (int i = 0; i < 16; ++i) devices.push_back(fmt::format("/dev/nvidia{}", i));
  for (const auto& device : devices) {
    if (::access(device.c_str(), F_OK) == 0) add({"--dev-bind-try", device, device});
  }
  // A program in a place that is hidden comes with its folder, of a .../bin/PROGRAM with the one above.
  auto place = program.parent_path();
  if (place.filename() == "bin") place = place.parent_path();
  if (IsWide(place)) place = program;
  add({"--ro-bind-try", place.string(), place.string()});
  if (!spec.hide.empty()) add({"--tmpfs", spec.hide});
  for (const char* own : {"work", "tmp"}) {
    const auto path = (folder / own).string();
    add({"--bind", path, path});
  }
  for (const auto& file : spec.workload.files) {
    if (file.path.starts_with('/')) add({"--ro-bind", (folder / "mounts" / file.path.substr(1)).string(), file.path});
  }
  add({"--chdir", (folder / "work").string(), "--"});
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

std::int64_t TicksOf(pid_t pid) {
  const auto text = ReadProc(pid, "stat");
  // The name of the program stands in brackets and may have any character in it.
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 1));
  std::string field;
  for (int i = 3; i < 22; ++i) fields >> field;
  std::int64_t ticks = 0;
  fields >> ticks;
  return fields ? ticks : 0;
}

std::string BootId() {
  auto id = ReadTextFile("/proc/sys/kernel/random/boot_id", 100);
  return id ? id->substr(0, id->find('\n')) : std::string();
}

std::vector<pid_t> Below(pid_t pid) {
  std::vector<pid_t> found;
  std::vector<pid_t> open{pid};
  for (std::size_t i = 0; i < open.size() && open.size() < 10'000; ++i) {
    std::istringstream children(ReadProc(open[i], fmt::format("task/{}/children", open[i]).c_str()));
    for (pid_t child = 0; children >> child;) {
      found.push_back(child);
      open.push_back(child);
    }
  }
  return found;
}

void EndLeftovers(const ReplicaState& state, const ReplicaSpec& spec, const fs::path& folder) {
  if (state.boot != BootId()) return;
  const auto pid = static_cast<pid_t>(state.pid);
  if (pid > 1 && TicksOf(pid) == state.ticks) {
    ::kill(-pid, SIGKILL);
    ::kill(pid, SIGKILL);
  }
  KillGroups(SplitGroups(state.group));
  const std::string name = fmt::format("OTE_REPLICA={}", spec.name),
                    home = fmt::format("TMPDIR={}", (folder / "tmp").string());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t other = 0;
    const auto text = entry.path().filename().string();
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), other);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || other == ::getpid()) continue;
    const auto environment = std::string(1, '\0') + ReadProc(other, "environ");
    const auto has = [&environment](const std::string& variable) {
      return environment.find('\0' + variable + '\0') != std::string::npos;
    };
    if (has(name) && has(home)) ::kill(other, SIGKILL);
  }
}

}  // namespace ote::agent::process
