#include "agent/watch/families.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "core/base/files.h"

namespace ote::agent {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double OpenDescriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  double count = -1;  // the folder itself is one of them
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] == '.' ? 0 : 1;
  ::closedir(folder);
  return count;
}

// The fields of proc(5)'s stat after the name, which may hold anything.
std::vector<std::string> StatFields() {
  const auto text = ReadTextFile("/proc/self/stat", 4096);
  if (!text) return {};
  std::istringstream rest(text->substr(std::min(text->rfind(')') + 1, text->size())));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Seconds since the epoch at which the machine started, as /proc/stat tells it.
double BootTime() {
  const auto text = ReadTextFile("/proc/stat", 1 << 20);
  const auto at = text ? text->find("\nbtime ") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtod(text->c_str() + at + 7, nullptr);
}

}  // namespace

void Spread::Add(double seconds) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
  sum += seconds;
}

std::uint64_t Spread::Count() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

Family Gauge(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), FamilyKind::kGauge, {{{}, value}}, {}};
}
Family Counter(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), FamilyKind::kCounter, {{{}, value}}, {}};
}

void AddProcess(Families& out) {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    out.push_back(Counter("process_cpu_seconds_total", "Processor time spent, in user and system mode.",
                          Seconds(usage.ru_utime) + Seconds(usage.ru_stime)));
  }
  if (const auto stat = StatFields(); stat.size() > 21) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    out.push_back(
        Gauge("process_virtual_memory_bytes", "Virtual memory size.", std::strtod(stat[20].c_str(), nullptr)));
    out.push_back(
        Gauge("process_resident_memory_bytes", "Resident memory size.", std::strtod(stat[21].c_str(), nullptr) * page));
    if (const double boot = BootTime(); boot > 0) {
      const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
      out.push_back(Gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.",
                          boot + std::strtod(stat[19].c_str(), nullptr) / ticks));
    }
  }
  if (const double open = OpenDescriptors(); open >= 0)
    out.push_back(Gauge("process_open_fds", "Open file descriptors.", open));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    out.push_back(
        Gauge("process_max_fds", "The most file descriptors that may be open.", static_cast<double>(limit.rlim_cur)));
}

}  // namespace ote::agent
