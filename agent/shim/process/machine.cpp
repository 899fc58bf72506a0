#include "agent/shim/process/machine.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "core/base/files.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;

std::string ReadProc(const char* path) {
  auto text = ReadTextFile(path, 1 << 20);
  return text ? std::move(*text) : std::string();
}

bool IsNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

void CountDevices(const fs::path& folder, const std::string& prefix, const std::string& kind,
                  std::map<std::string, std::int64_t>& found) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(prefix) && IsNumber(name.substr(prefix.size()))) ++found[kind];
  }
}

bool Near(std::int64_t a, std::int64_t b, std::int64_t whole) { return std::abs(a - b) * 100 <= whole * 3; }

}  // namespace

std::string Machine::Name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "";
}

api::ShimStatus Machine::Look() {
  api::NodeStatus node;
  utsname names{};
  ::uname(&names);
  node.name = names.nodename;
  node.ready = true;
  node.version = names.release;
  node.labels = {{"arch", names.machine}, {"os", "linux"}};
  node.capacity.cpu_milli = 1000 * ::sysconf(_SC_NPROCESSORS_ONLN);
  std::istringstream memory(ReadProc("/proc/meminfo"));
  std::int64_t available = 0;
  for (std::string line; std::getline(memory, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kib = 0;
    words >> name >> kib;
    if (name == "MemTotal:") node.capacity.memory = kib << 10;
    if (name == "MemAvailable:") available = kib << 10;
  }
  node.used.memory = node.capacity.memory - available;
  struct statvfs disk {};
  if (::statvfs(folder_.c_str(), &disk) == 0) {
    const auto block = static_cast<std::int64_t>(disk.f_frsize);
    node.capacity.disk = static_cast<std::int64_t>(disk.f_blocks) * block;
    node.used.disk = node.capacity.disk - static_cast<std::int64_t>(disk.f_bavail) * block;
  }
  std::istringstream cpu(ReadProc("/proc/stat"));
  std::string word;
  cpu >> word;
  std::int64_t all = 0, idle = 0, ticks = 0;
  // user nice system idle iowait irq softirq steal; guests are counted in user already
  for (int i = 0; i < 8 && cpu >> ticks; ++i) {
    all += ticks;
    if (i == 3 || i == 4) idle += ticks;
  }
  if (all_ > 0 && all > all_) node.used.cpu_milli = node.capacity.cpu_milli * (all - idle - busy_) / (all - all_);
  all_ = all;
  busy_ = all - idle;
  CountDevices("/dev", "nvidia", "nvidia.com/gpu", node.capacity.accelerators);
  // The render nodes of NVIDIA's are the same devices again.
  if (node.capacity.accelerators.empty()) CountDevices("/dev/dri", "renderD", "gpu", node.capacity.accelerators);

  api::ShimStatus status;
  status.shim = "process";
  status.version = node.version;
  status.capacity = node.capacity;
  status.used = node.used;
  status.nodes = {std::move(node)};
  return status;
}

bool Differs(const api::ShimStatus& before, const api::ShimStatus& now) {
  if (before.healthy != now.healthy || before.message != now.message || before.version != now.version ||
      before.capacity != now.capacity || before.nodes.size() != now.nodes.size())
    return true;
  const auto& whole = now.capacity;
  return !Near(before.used.cpu_milli, now.used.cpu_milli, whole.cpu_milli) ||
         !Near(before.used.memory, now.used.memory, whole.memory) || !Near(before.used.disk, now.used.disk, whole.disk);
}

}  // namespace ote::agent::process
