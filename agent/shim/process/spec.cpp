#include "agent/shim/process/spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/files.h"

namespace ote::agent::process {
namespace {

struct OrderDocument {
  Order order = Order::kStop;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("order", self.order, kRequired);
  }
};

template <class T>
Result<T> Parse(std::string_view text, std::string_view what) {
  auto json = ParseJson(text, what);
  if (!json) return Fail(std::move(json).error());
  return FromWire<T>(*json);
}

tl::unexpected<Error> Refused(std::string message) { return Fail(ErrorId::kShimFailed, std::move(message)); }

constexpr std::int64_t kLongest = 86'400'000;  // ms; a day

bool HasZero(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<void> CheckHealth(const api::HealthCheck& health) {
  using api::HealthKind;
  if (health.kind == HealthKind::kNone) return {};
  if (health.kind == HealthKind::kExec && health.command.empty()) return Refused("health: no command");
  if (health.kind != HealthKind::kExec && (health.port < 1 || health.port > 65'535))
    return Refused("health: no port to ask at");
  for (const char c : health.path) {
    if (c <= ' ' || c == 127) return Refused("health: a path with a space or a control character");
  }
  if (!health.path.empty() && !health.path.starts_with('/'))
    return Refused("health: a path that does not begin with /");
  if (health.interval_ms < 1 || health.timeout_ms < 1 || health.failures < 1 || health.start_ms < 0)
    return Refused("health: an interval, a timeout or a number of failures that is not positive");
  if (std::max({health.interval_ms, health.timeout_ms, health.start_ms}) > kLongest || health.failures > 10'000)
    return Refused("health: a time of more than a day, or more than 10000 failures");
  return {};
}

}  // namespace

Result<ReplicaSpec> ParseSpec(std::string_view text) {
  OTE_TRY(auto spec, Parse<ReplicaSpec>(text, "spec.json"));
  OTE_CHECK(CheckWorkload(spec.workload));
  const auto& patience = spec.patience;
  if (patience.back_off_ms < 0 || patience.back_off_most_ms < patience.back_off_ms ||
      patience.back_off_most_ms > kLongest || patience.log_bytes < 1 || patience.log_files < 1 ||
      patience.log_files > 100)
    return Fail(ErrorId::kMalformed, "spec.json: patience: out of range");
  return spec;
}

Result<ReplicaState> ParseState(std::string_view text) {
  OTE_TRY(auto state, Parse<ReplicaState>(text, "state.json"));
  if (state.pid < 0 || state.pid > (1 << 30)) return Fail(ErrorId::kMalformed, "state.json: no such pid");
  return state;
}

Result<Order> ParseOrder(std::string_view line) {
  OTE_TRY(const auto document, Parse<OrderDocument>(line, "order"));
  return document.order;
}

Result<SupervisorLine> ParseSupervisorLine(std::string_view line) { return Parse<SupervisorLine>(line, "supervisor"); }

std::string OrderLine(Order order) { return DumpJson(ToJson(OrderDocument{order})) + "\n"; }

Result<ReplicaSpec> ReadSpec(const std::filesystem::path& folder) {
  OTE_TRY(const auto text, ReadTextFile(folder / "spec.json", 4 << 20));
  return ParseSpec(text);
}

Result<ReplicaState> ReadState(const std::filesystem::path& folder) {
  OTE_TRY(const auto text, ReadTextFile(folder / "state.json", 1 << 20));
  return ParseState(text);
}

Result<void> WriteSpec(const std::filesystem::path& folder, const ReplicaSpec& spec) {
  return WriteFileAtomic(folder / "spec.json", AsBytes(DumpJson(ToJson(spec))), 0600);
}

bool StaysInside(std::string_view path) {
  if (path.empty() || path.front() == '/' || HasZero(path)) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

Result<void> CheckWorkload(const api::Workload& workload) {
  if (!workload.manifests.empty())
    return Refused("manifests are for a cluster that runs Kubernetes; this one runs processes");
  if (workload.command.empty() || workload.command.front().empty()) {
    return workload.image.empty()
               ? Refused("no command to run")
               : Refused(fmt::format("image {}: this cluster runs processes, not containers; give a command",
                                     workload.image));
  }
  for (const auto& word : workload.command) {
    if (HasZero(word)) return Refused("command: a zero byte in a word");
  }
  for (const auto& [name, value] : workload.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasZero(name) || HasZero(value))
      return Refused(fmt::format("env: {}: not a name of a variable, or a zero byte", name));
  }
  for (const auto& file : workload.files) {
    const bool absolute = file.path.starts_with('/');
    if (!StaysInside(absolute ? std::string_view(file.path).substr(1) : file.path))
      return Refused(fmt::format("file {}: the path leads out of the working folder", file.path));
    if (absolute && workload.isolation == api::Isolation::kOff)
      return Refused(fmt::format("file {}: an absolute path needs isolation", file.path));
    if (file.mode < 0 || file.mode > 0777) return Refused(fmt::format("file {}: no such mode", file.path));
  }
  if (workload.replicas < 0 || workload.replicas > 1000) return Refused("replicas: from 0 to 1000 on one machine");
  if (workload.stop_ms < 0 || workload.resources.cpu_milli < 0 || workload.resources.memory < 0)
    return Refused("a time or a limit below zero");
  if (workload.stop_ms > kLongest || workload.resources.cpu_milli > 1'000'000'000)
    return Refused("a time of more than a day, or a million cores");
  return CheckHealth(workload.health);
}

std::string BuildOf(const api::Workload& workload) {
  auto same = workload;
  same.replicas = 0;
  same.update = api::UpdateKind::kRolling;
  return api::DigestOf(same);
}

}  // namespace ote::agent::process
