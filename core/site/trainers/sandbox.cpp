#include "core/site/trainers/sandbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/site/trainers/process.h"

namespace ote::site {
namespace {

namespace fs = std::filesystem;

// What programs need of a system. Of /etc only what they look up: secrets of the machine lie there, too.
constexpr const char* kSystem[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sys"};
constexpr const char* kSettings[] = {"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf",
                                     "/etc/ld.so.conf.d", "/etc/localtime",   "/etc/nsswitch.conf",
                                     "/etc/passwd",       "/etc/group",       "/etc/python3",
                                     "/etc/python3.11",   "/etc/fonts",       "/etc/OpenCL",
                                     "/etc/vulkan",       "/etc/R",           "/etc/java-17-openjdk",
                                     "/etc/mime.types",   "/etc/timezone",    "/etc/ssl/openssl.cnf"};
// Accelerators.
constexpr const char* kDevices[] = {
    "/dev/dri",        "/dev/kfd", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
    "/dev/nvidia-caps"};
constexpr int kMostGpus = 16;
constexpr std::chrono::milliseconds kPatience{10'000};

void Add(std::vector<std::string>& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more.begin(), more.end());
}

// The folder that a file of the command needs around it; "" for none.
std::string FolderOf(const std::string& word) {
  std::error_code error;
  const fs::path path(word);
  if (!path.is_absolute() || !fs::exists(path, error)) return {};
  if (fs::is_directory(path, error)) return path == "/" ? std::string() : word;
  auto folder = path.parent_path();
  if (folder.filename() == "bin") folder = folder.parent_path();
  // Folders that have much more in them than a trainer: /etc, /srv, somebody's home. The file comes alone.
  const bool wide = folder == "/" || folder.parent_path() == "/" || folder.parent_path() == "/home";
  return wide ? word : folder.string();
}

std::vector<std::string> Walls() {
  return {"--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "trainer"};
}

}  // namespace

SandboxSupport FindSandbox(const fs::path& folder, const std::stop_token& stop) {
  const auto bwrap = FindProgram("bwrap");
  if (bwrap.empty()) return {{}, "bubblewrap (bwrap) is not installed"};
  ProcessPlan plan;
  plan.argv = {bwrap};
  const auto walls = Walls();
  plan.argv.insert(plan.argv.end(), walls.begin(), walls.end());
  Add(plan.argv, {"--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", FindProgram("true")});
  plan.folder = folder;
  plan.timeout = kPatience;
  std::string said;
  const auto ended = RunProcess(
      plan, [&said](std::string_view text) { said += text.substr(0, 1024 - std::min<std::size_t>(said.size(), 1024)); },
      stop);
  if (ended && ended->how == ProcessEnd::How::kExited && ended->number == 0) return {bwrap, {}};
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return {{},
          fmt::format("bubblewrap is not allowed to make a sandbox: {}", !ended         ? ended.error().message
                                                                         : said.empty() ? "no reason given"
                                                                                        : said)};
}

std::vector<std::string> InSandbox(const std::string& bwrap, const api::Trainer& trainer, const SandboxView& view,
                                   const std::vector<std::string>& named, const std::vector<std::string>& argv) {
  std::vector<std::string> words{bwrap};
  for (auto& wall : Walls()) words.push_back(std::move(wall));
  const auto readable = [&words](const std::string& path) { Add(words, {"--ro-bind-try", path, path}); };
  for (const char* path : kSystem) readable(path);
  for (const char* path : kSettings) readable(path);
  Add(words, {"--proc", "/proc", "--dev", "/dev"});
  // What is written to /tmp goes to the disk of the task, not into memory that nobody counts.
  Add(words, {"--bind", (view.task / "tmp").string(), "/tmp"});
  for (const char* path : kDevices) Add(words, {"--dev-bind-try", path, path});
  for (int i = 0; i < kMostGpus; ++i) {
    const auto path = fmt::format("/dev/nvidia{}", i);
    std::error_code ignored;
    if (fs::exists(path, ignored)) Add(words, {"--dev-bind-try", path, path});
  }
  // Shorter paths first: one that lies in another would be hidden by it.
  std::set<std::string> folders;
  for (const auto& word : named) {
    if (auto folder = FolderOf(word); !folder.empty()) folders.insert(std::move(folder));
  }
  folders.insert(trainer.read.begin(), trainer.read.end());
  for (const auto& path : folders) readable(path);
  // Whatever was shown so far, the agent's keys are not in it. And what the task is about comes last, over all that.
  Add(words, {"--tmpfs", view.state.string()});
  for (const auto& path : view.inputs) readable(path);
  Add(words, {"--bind", view.task.string(), view.task.string()});
  Add(words, {"--remount-ro", view.state.string(), "--remount-ro", "/", "--chdir", view.task.string(), "--"});
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

}  // namespace ote::site
